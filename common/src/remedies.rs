//! The library's errors as those of programs: with an exit code, and the remedy in the words of options.

use crate::{DataError, Error, GpuError, ModelError, ResumeError, SpecError};
use vae_cli::{Error as Exit, remedy};
use vae_stream::Foreign;

impl From<Error> for Exit {
    fn from(error: Error) -> Exit {
        match error {
            Error::Spec(error) => error.into(),
            Error::Data(error) => error.into(),
            Error::TestImages(error) => Exit::from(error).within("test images"),
            Error::Model(error) => error.into(),
            Error::Resume(error) => error.into(),
            Error::Gpu(error) => error.into(),
            Error::Stream(error) => error.into(),
            Error::Io { what, source } => Exit::io(what, source),
            Error::NotFinite { .. } => Exit::Failed(format!("{error}; try a smaller --lr")),
            Error::NotConverged(_) => Exit::Failed(error.to_string()),
            Error::TooFewImages { .. } => Exit::Usage(format!("--{error}; give more images")),
            Error::PointCode => Exit::Usage(format!("{error}; leave out --sample")),
            Error::NoVariance => Exit::Usage(
                "--emit logvar: the code of this model is a point, without a variance: expected z or mu".into(),
            ),
            Error::NoPrior => Exit::Usage(format!("{error}; latents of images come from vae-encode")),
            Error::InstructionSet { .. } => Exit::Usage(error.to_string()),
            Error::NoTiles { .. } => Exit::Unavailable(format!("--{error}; use fp32, or tf32 on a GPU")),
            Error::Memory { .. } => Exit::Unavailable(format!("{error}; try a smaller --batch, --samples or --hidden")),
            Error::CovarianceMemory { .. } => Exit::Unavailable(format!("{error}; make the images smaller")),
            Error::Allocation { .. } => {
                Exit::Unavailable(format!("{error}; see ulimit -v, or try a smaller --batch or --hidden"))
            }
        }
    }
}

impl From<SpecError> for Exit {
    fn from(error: SpecError) -> Exit {
        Exit::Usage(match &error {
            SpecError::OutOfRange { field, value, expected } => {
                format!("--{} is {value}: expected {expected}", field.replace('_', "-"))
            }
            SpecError::InputRange { .. } => format!("--{error}").replace('_', "-"),
            SpecError::Size { .. } => format!("{error}; see --hidden, --conv and --latent"),
            SpecError::ImageArea { .. } => format!("{error}; make them smaller"),
            SpecError::NoConvolution => "a convolutional network has no convolution: expected --conv N,N".into(),
            SpecError::ConvSize { most } => {
                format!("--conv has layers of more than {most} values: expected fewer channels")
            }
            SpecError::Components { .. } => format!("--{error}"),
            SpecError::PcaPixels => {
                "principal components are of pixels as they are: expected no --binarize or --input-range".into()
            }
            SpecError::AutoencoderPrior => "an autoencoder has no prior: expected --prior standard".into(),
            SpecError::AutoencoderKl => {
                "an autoencoder has no KL and draws nothing: expected no --beta, --samples or --kl-warmup".into()
            }
            SpecError::PriorClasses => format!("{error}; give --classes"),
            SpecError::Channels(_) | SpecError::PcaLayers | SpecError::PcaLikelihood | SpecError::Progress { .. } => {
                error.to_string()
            }
        })
    }
}

impl From<DataError> for Exit {
    fn from(error: DataError) -> Exit {
        Exit::Data(match error {
            DataError::NoLabels { .. } => {
                format!("{error}; mnist-dump writes them, and vae-cat x=images.npy y=labels.npy joins yours")
            }
            // Labels may count from 1, as those of EMNIST's letters do.
            DataError::Label { label: label @ 0..=255, .. } => {
                format!("{error}; a model of vae-train --classes {} or more has it", label + 1)
            }
            _ => error.to_string(),
        })
    }
}

impl From<ModelError> for Exit {
    fn from(error: ModelError) -> Exit {
        Exit::Data(match &error {
            ModelError::Foreign { got, .. } => match (remedy::stand_in(got), got) {
                (Some(remedy), _) => format!("{error}{remedy}"),
                (None, Foreign::Zip | Foreign::Pickle | Foreign::Hdf5 | Foreign::Network(_)) => {
                    format!("{error}; vae-model import makes a model of the weights of another program")
                }
                (None, _) => format!("{error}; vae-train makes a model"),
            },
            ModelError::Format { .. } => format!("{error}; expected a file written by vae-train"),
            ModelError::NoMetadata { .. } => format!("{error}; make a model of its weights: vae-model import"),
            ModelError::TensorType { .. } => format!("{error}; vae-model import converts it"),
            ModelError::Version { .. } => format!("{error}; use newer tools"),
            ModelError::Digest { .. } => {
                format!("{error}; make it anew, or where its weights were changed on purpose: vae-model import")
            }
            ModelError::NoTensor(_) | ModelError::TensorShape { .. } => error.to_string(),
        })
    }
}

impl From<ResumeError> for Exit {
    fn from(error: ResumeError) -> Exit {
        match error {
            ResumeError::Finished => Exit::Data(format!("{error}; remove it or name another")),
            ResumeError::Losses { .. } => Exit::Data(format!("{error}; remove it")),
            ResumeError::Differs { field, expected, got } if field.starts_with("data.") || field == "network.image" => {
                Exit::Usage(format!(
                    "--resume: the images differ from the checkpoint's: expected {field} {expected}, got {got}; give the \
                     same images, or remove the checkpoint"
                ))
            }
            ResumeError::Differs { field, expected, got } => {
                let option = field.rsplit('.').next().unwrap_or(&field).replace('_', "-");
                Exit::Usage(format!(
                    "--resume: --{option} differs from the checkpoint's: expected {expected}, got {got}; give the same \
                     value, or remove the checkpoint"
                ))
            }
            ResumeError::Epochs { done, epochs } => Exit::Usage(format!(
                "--resume: the checkpoint is in epoch {done}: expected --epochs of at least that, got {epochs}"
            )),
        }
    }
}

impl From<GpuError> for Exit {
    fn from(error: GpuError) -> Exit {
        let remedy = match error {
            GpuError::NoTensorCores { .. } => "leave out --precision",
            GpuError::Memory { .. } | GpuError::Allocation { .. } => {
                "try a smaller --batch, --samples or --hidden, or --device cpu"
            }
            GpuError::Failed { .. } => "try again, or --device cpu",
            _ => "try --device cpu",
        };
        Exit::Unavailable(format!("{error}; {remedy}"))
    }
}
