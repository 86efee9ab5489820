//! The segments of a JPEG file, which its decoder does not tell.

/// What the segments of a file say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segments {
    /// Whether its end marker is there. The decoder fills in for what is missing.
    pub(crate) is_complete: bool,
    pub(crate) has_exif: bool,
    pub(crate) has_profile: bool,
}

impl Segments {
    /// Those of another format, of which nothing is known.
    pub(crate) const ANY: Segments = Segments { is_complete: true, has_exif: true, has_profile: true };

    /// Walks through the segments of a file. Thumbnails in them do not count.
    pub(crate) fn of(bytes: &[u8]) -> Segments {
        let mut segments = Segments::default();
        let mut at = 0;
        while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) {
            at += found + 1;
            match bytes.get(at) {
                Some(0xff) => {}                            // padding
                Some(0x00 | 0x01 | 0xd0..=0xd8) => at += 1, // data, restarts and the start
                Some(0xd9) => return Segments { is_complete: true, ..segments },
                Some(marker) => {
                    let Some([high, low]) = bytes.get(at + 1..at + 3) else { break };
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    let content = bytes.get(at + 3..).unwrap_or_default();
                    segments.has_exif |= *marker == 0xe1 && content.starts_with(b"Exif\0");
                    segments.has_profile |= *marker == 0xe2 && content.starts_with(b"ICC_PROFILE\0");
                    at += 1 + length;
                }
                None => break,
            }
        }
        segments
    }
}
