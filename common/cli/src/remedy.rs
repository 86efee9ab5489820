//! What to do about an error of the input, in the words of programs and options.

use std::borrow::Cow;

use vae_stream::{Dtype, Error, Foreign};

/// The remedy for a file that stands for another one, whatever was expected: packed, not downloaded, empty.
pub fn stand_in(got: &Foreign) -> Option<Cow<'static, str>> {
    match got {
        Foreign::LfsPointer => Some("; fetch the file: git lfs pull".into()),
        Foreign::Utf16 => Some("; PowerShell's > writes it: use -o FILE, or iconv -f UTF-16 -t UTF-8".into()),
        Foreign::Recoded => Some("; copy it in binary mode, and in PowerShell with -o FILE".into()),
        Foreign::WebPage => Some("; a login or an error page came in place of the file: download it again".into()),
        Foreign::Empty => Some("; download or make it again".into()),
        Foreign::Packed { unpack, .. } | Foreign::Archive { unpack, .. } => {
            Some(format!("; unpack it ({unpack})").into())
        }
        _ => None,
    }
}

/// The remedy for an error of a stream, .npy or newline JSON.
pub(crate) fn of(error: &Error) -> Option<Cow<'static, str>> {
    match error.cause() {
        Error::Empty | Error::Truncated { .. } => match error.place() {
            Some("standard input") => Some("; see the message of the stage before".into()),
            _ => Some("; the file is empty or cut off: make or copy it again".into()),
        },
        Error::Layout => Some("; vae-cat takes any .npy and makes a stream of it".into()),
        Error::Format { got, .. } => input(got),
        Error::Checksum { got, .. } if got.ends_with("\\r") => {
            Some("; its line ends were changed: copy it in binary mode".into())
        }
        Error::JsonLine(e) if e.to_string().contains("null") => {
            Some("; null is no number: leave out such lines, jq -c 'select(all(.[]; . != null))'".into())
        }
        Error::JsonLine(e) if e.to_string().contains("string") => {
            Some("; text is no tensor: leave it out, jq -c 'del(.KEY)', or make numbers of it with tonumber".into())
        }
        Error::JsonLine(e) if e.is_eof() => Some("; put each item on one line (jq -c)".into()),
        Error::ImageShape { got, .. } => match got[..] {
            [_] => Some("; give their size: --image HxW".into()),
            [_, _, 3 | 4] => Some("; images have one channel: average the colours (x.mean(-1))".into()),
            [3 | 4, _, _] => Some("; images have one channel: average the colours (x.mean(1))".into()),
            [_, _, _] => Some("; images are [N, H, W]: leave out an axis, as x[0] does".into()),
            _ => None,
        },
        Error::Npy { got, .. } if got.starts_with("\\xc2\\x93NUM") => stand_in(&Foreign::Recoded),
        Error::AfterNpy { .. } => Some("; write nothing else to the file, or copy it again".into()),
        Error::Pixel { got, dtype, .. } => Some(pixel(got, *dtype).into()),
        Error::Scalar { got, .. } if got.len() == 1 => {
            Some("; name a tensor of labels, say y (of one-hot labels save np.argmax(y, axis=1))".into())
        }
        _ => None,
    }
}

fn pixel(got: &str, dtype: Dtype) -> &'static str {
    match dtype {
        _ if got == "NaN" => "; numpy.nan_to_num, or leave the image out",
        Dtype::U16 => "; of 16 bits save (x // 257).astype('u1'), or x / 65535 as float32",
        _ => "; scale them to bytes, or to float32 from 0 to 1",
    }
}

fn input(got: &Foreign) -> Option<Cow<'static, str>> {
    let remedy = match got {
        Foreign::Packed { format: "gzip", .. } => {
            "; unpack it (gzip -dc), or read MNIST files with mnist-dump --data DIR"
        }
        Foreign::Picture(_) => "; read it with image-dump FILE",
        Foreign::Archive { format: "tar", .. } => "; of pictures read it with image-dump FILE",
        Foreign::Idx => "; read it with mnist-dump --data DIR",
        Foreign::Zip => "; of .npz numpy.save one array, a PyTorch file goes to vae-model",
        Foreign::Hdf5 => "; load it in Python (h5py) and numpy.save one array, Keras weights go to vae-model",
        Foreign::Network(_) => "; its weights go to vae-model, as .safetensors or .npz",
        Foreign::Table { reader, .. } => {
            return Some(format!("; load it in Python ({reader}) and numpy.save the array").into());
        }
        Foreign::Pickle => "; numpy.save the array, a PyTorch file goes to vae-model",
        Foreign::JsonList => "; put one object on each line (jq -c '.[]')",
        Foreign::Safetensors => "; give a model with -m",
        _ => return stand_in(got),
    };
    Some(remedy.into())
}
