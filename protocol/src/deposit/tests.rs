// SPDX-License-Identifier: MIT OR Apache-2.0
//! Four sizes, one padded form.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use super::*;
use crate::limits::{DEPOSIT_BYTES_MAX, ENVELOPE_BYTES_MAX, FRAME_BYTES_MAX};
use crate::samples;

///
#[test]
fn a_relay_sees_one_of_four_sizes() {
    let mut lengths: Vec<usize> = (0..2_000).step_by(37).collect();
    for class in DEPOSIT_CLASSES_BYTES {
        lengths.extend(class - DEPOSIT_OVERHEAD_BYTES - 3..class - DEPOSIT_OVERHEAD_BYTES + 2);
    }
    for length in lengths {
        let bytes = vec![0x80; length];
        match pad(bytes.clone()) {
            Ok(padded) => {
                assert!(
                    DEPOSIT_CLASSES_BYTES.contains(&(padded.len() + DEPOSIT_OVERHEAD_BYTES)),
                    "{length}"
                );
                assert_eq!(unpad(&padded), Ok(bytes.as_slice()), "{length}");
            }
            Err(error) => {
                assert!(length > PARCEL_BYTES_MAX);
                assert_eq!(
                    error,
                    ParcelTooLarge {
                        got: length,
                        max: PARCEL_BYTES_MAX
                    }
                );
            }
        }
    }
    assert!(pad(vec![0; PARCEL_BYTES_MAX]).is_ok());
    assert!(pad(vec![0; PARCEL_BYTES_MAX + 1]).is_err());
}

///
#[test]
fn padding_has_one_form() {
    let padded = samples::parcel(ParcelContent::Envelope(samples::envelope()))
        .to_padded()
        .unwrap();
    assert!(Parcel::from_padded(&padded).is_ok());
    let mut wrong_byte = padded.clone();
    *wrong_byte.last_mut().unwrap() = 1;
    let mut no_mark = padded.clone();
    let mark = no_mark.iter().rposition(|byte| *byte == 0x80).unwrap();
    no_mark[mark] = 0;
    let larger = [padded.clone(), vec![0; 3 * 1024]].concat();
    for wrong in [
        &wrong_byte,
        &no_mark,
        &larger,
        &padded[1..].to_vec(),
        &padded[..500].to_vec(),
        &vec![],
        &vec![0; 984],
    ] {
        assert!(Parcel::from_padded(wrong).is_err());
    }
}

///
#[test]
fn the_largest_envelope_fits_a_deposit_and_a_frame() {
    let mut envelope = samples::envelope();
    envelope.bytes = vec![0xff; ENVELOPE_BYTES_MAX];
    envelope.incarnation = u32::MAX;
    let mut parcel = samples::parcel(ParcelContent::Envelope(envelope));
    parcel.sequence = SEQUENCE_MAX;
    assert_eq!(
        parcel.to_padded().unwrap().len() + DEPOSIT_OVERHEAD_BYTES,
        DEPOSIT_BYTES_MAX
    );
    let frame = crate::frame::PeerFrame::Deliver {
        number: SEQUENCE_MAX,
        parcel,
    };
    assert!(frame.to_bytes().len() <= FRAME_BYTES_MAX);
}

///
#[test]
fn the_number_of_an_envelope_never_wraps() {
    let numbered = |sequence| {
        let content = ParcelContent::Envelope(samples::envelope());
        let parcel = Parcel {
            sequence,
            ..samples::parcel(content)
        };
        Parcel::from_bytes(&parcel.to_bytes())
    };
    assert!(numbered(0).is_ok(), "what is not counted");
    assert!(numbered(SEQUENCE_MAX).is_ok());
    assert!(numbered(SEQUENCE_MAX + 1).is_err());
    assert!(numbered(u64::MAX).is_err());
}
