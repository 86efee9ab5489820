//! What can go wrong, by its cause. A message says what happened; programs add the remedy, in the words of their options.

use crate::backend::cuda::GpuError;
use std::io;
use vae_numerics::eigen::NotConverged;
use vae_stream::Foreign;
use vae_stream::images::ImageShape;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the models or of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // a message says what the fields of its variant are
pub enum Error {
    /// A spec that no network can be built of.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Images, labels or latents that do not fit the model.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Test images that do not fit the model.
    #[error("test images: {0}")]
    TestImages(DataError),
    /// A file or a state dict that is no such model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A checkpoint that the run cannot continue from.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// A GPU that is missing, or failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A loss or a weight that is NaN or infinite.
    #[error("{what} is not finite at step {step}, in epoch {epoch}, with lr {lr:?}")]
    NotFinite { what: String, step: u64, epoch: usize, lr: f64 },
    /// An eigendecomposition that takes too many steps.
    #[error(transparent)]
    NotConverged(#[from] NotConverged),
    /// Fewer images than principal components.
    #[error("latent is {latent}: expected at most {images} components, one for each image")]
    TooFewImages { latent: usize, images: usize },
    /// A draw from a code that is a point.
    #[error("the code of this model is a point, from which nothing is drawn: expected a VAE")]
    PointCode,
    /// The variance of a code that is a point.
    #[error("the code of this model is a point, without a variance: expected a VAE")]
    NoVariance,
    /// A draw from the prior of a plain autoencoder.
    #[error("this model has no prior to draw from: expected a VAE")]
    NoPrior,
    /// Buffers of a plan beyond main memory.
    #[error("this needs {} MB of memory: expected at most the {} MB of this machine", needed >> 20, available >> 20)]
    Memory { needed: u64, available: u64 },
    /// A covariance of pixels beyond main memory.
    #[error("this needs {} MB of memory: expected at most the {} MB of this machine", needed >> 20, available >> 20)]
    CovarianceMemory { needed: u64, available: u64 },
    /// Main memory that the system refuses.
    #[error("the system gives no {} MB of memory: {source}", bytes >> 20)]
    Allocation { bytes: usize, source: io::Error },
    /// Instructions that this CPU does not have.
    #[error("VAE_CPU is {asked}: expected one of those that this CPU has: {available}")]
    InstructionSet { asked: String, available: String },
    /// A precision that only AMX multiplies.
    #[error("precision {precision} needs a CPU with AMX: expected one, got {got}")]
    NoTiles { precision: &'static str, got: &'static str },
    /// A stream that cannot be read.
    #[error(transparent)]
    Stream(#[from] vae_stream::Error),
    /// An I/O error.
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

/// Why images, labels or latents do not fit a model.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // a message says what the fields of its variant are
pub enum DataError {
    /// A stream without images.
    #[error("the stream holds no images: expected at least one")]
    NoImages,
    /// Images of another shape.
    #[error("the images are {got} pixels: expected {expected}, as the model was made for")]
    ImageSize { expected: ImageShape, got: ImageShape },
    /// A pixel outside [0, 1].
    #[error("pixel {at:?} of image {image} is {value}: expected [0, 1], where the means of a decoder lie; {remedy}")]
    PixelRange { at: [usize; 2], image: u32, value: f32, remedy: &'static str },
    /// Images of another dtype than those before.
    #[error("the images change their dtype in the middle of the stream; expected one dtype")]
    DtypeChange,
    /// No labels, for a conditional model.
    #[error(
        "there are no labels: expected a tensor y, one of {classes} classes for each item, since the model is conditional"
    )]
    NoLabels { classes: usize },
    /// A label that is no class.
    #[error("the label of item {item} is {label}: expected 0 to {}, one of {classes} classes", classes - 1)]
    Label { item: usize, label: i64, classes: usize },
    /// Latents of another width than the model's.
    #[error("z has {got} dimensions: expected {expected}, as the model has")]
    LatentWidth { expected: usize, got: usize },
    /// Latents that are NaN or infinite.
    #[error("z of item {item} holds {value}: expected finite numbers")]
    LatentNotFinite { item: usize, value: f32 },
}

/// Why a file or a state dict is not the model that it should be.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // a message says what the fields of its variant are
pub enum ModelError {
    /// A file in another format.
    #[error("{name} is not a model: expected a safetensors file, got {got}")]
    Foreign { name: String, got: Foreign },
    /// Not in the format of a model file.
    #[error("{name} is not a model: {why}")]
    Format { name: String, why: String },
    /// A safetensors file of another program.
    #[error("{name} is a safetensors file without the metadata key `{key}`")]
    NoMetadata { name: String, key: &'static str },
    /// A tensor of another type than f32.
    #[error("tensor {tensor} of {name}: expected F32, got {got}")]
    TensorType { name: String, tensor: String, got: String },
    /// A format newer than this code.
    #[error("{name} is a model of form {version}: expected at most {newest}")]
    Version { name: String, version: u64, newest: u32 },
    /// A digest that differs from the content's.
    #[error("{name} is damaged: its sha256 does not agree with its content")]
    Digest { name: String },
    /// A parameter that is missing.
    #[error("the model has no tensor {0}")]
    NoTensor(String),
    /// A parameter of another shape than the network's.
    #[error("tensor {name} of the model: expected shape {expected:?}, got {got:?}")]
    TensorShape { name: String, expected: Vec<usize>, got: Vec<usize> },
}

/// Why a run cannot continue from a checkpoint.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // a message says what the fields of its variant are
pub enum ResumeError {
    /// A model without the state of the optimizer.
    #[error("the checkpoint is a finished model, without the optimizer's state")]
    Finished,
    /// A checkpoint of another run.
    #[error("the checkpoint is of another run: expected {field} {expected}, got {got}")]
    Differs { field: String, expected: String, got: String },
    /// A checkpoint beyond the last epoch.
    #[error("the checkpoint is in epoch {done}: expected at least that many epochs, got {epochs}")]
    Epochs { done: usize, epochs: usize },
    /// Losses of the epoch under way that are not those of its images.
    #[error("the checkpoint is damaged: expected the losses of {expected} images, got {got}")]
    Losses { expected: usize, got: usize },
}

/// Why no network can be built or trained as a [`Spec`](crate::model::Spec) says.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // a message says what the fields of its variant are
pub enum SpecError {
    /// A hyperparameter outside its range.
    #[error("{field} is {value}: expected {expected}")]
    OutOfRange { field: &'static str, value: String, expected: String },
    /// The pixel values of black and white.
    #[error("input_range is {black:?},{white:?}: expected black below white")]
    InputRange { black: f64, white: f64 },
    /// An empty or too large layer or image side.
    #[error("the size of a layer or image is {size}: expected 1 to {most}")]
    Size { size: usize, most: usize },
    /// Too many pixels.
    #[error("images of {image} pixels are too large: expected at most {most} pixels")]
    ImageArea { image: ImageShape, most: usize },
    /// Images of several channels.
    #[error("images of {0} have {channels} channels: expected 1", channels = .0.channels)]
    Channels(ImageShape),
    /// A prior that is learned for classes, without classes.
    #[error("a learned prior is p(z given y): expected a conditional model")]
    PriorClasses,
    /// No channels.
    #[error("a convolutional network has no convolution: expected the channels of one or more")]
    NoConvolution,
    /// A patch, a kernel or an output of a convolution that is too large.
    #[error("a convolution has more than {most} values: expected fewer channels")]
    ConvSize { most: usize },
    /// Layers or labels of principal components.
    #[error("principal components have no layers and no labels: expected neither")]
    PcaLayers,
    /// More components than pixels.
    #[error("latent is {latent}: expected at most {pixels} components, one for each pixel")]
    Components { latent: usize, pixels: usize },
    /// A likelihood other than the squared error.
    #[error("principal components minimise the squared error: expected Gaussian pixels of one sigma")]
    PcaLikelihood,
    /// Pixels of principal components that are changed.
    #[error("principal components are of pixels as they are: expected no binarization and no input range")]
    PcaPixels,
    /// A learned prior of a plain autoencoder.
    #[error("an autoencoder has no prior: expected the standard one")]
    AutoencoderPrior,
    /// A weight of the KL, or draws, of a plain autoencoder.
    #[error("an autoencoder has no KL and draws nothing: expected no beta, samples or kl_warmup")]
    AutoencoderKl,
    /// A checkpoint at a place that no run comes to.
    #[error(
        "the checkpoint is at image {at} of {images} in epoch {epoch}, after {steps} steps: expected a place in a run"
    )]
    Progress { epoch: usize, at: usize, images: usize, steps: u64 },
}
