//! What can go wrong, by its cause. A message says what happened; programs add the remedy, in the words of their options.

use crate::backend::cuda::GpuError;
use std::io;
use vae_numerics::eigen::NotConverged;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the models or of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    NotFinite {
        /// The loss, or the name of the tensor.
        what: String,
        /// The step, from 1.
        step: u64,
        /// The epoch, from 1.
        epoch: usize,
        /// The step size.
        lr: f64,
    },
    /// An eigendecomposition that takes too many steps.
    #[error(transparent)]
    NotConverged(#[from] NotConverged),
    /// Fewer images than principal components.
    #[error("latent is {latent}: expected at most {images} components, one for each image")]
    TooFewImages {
        /// The components asked for.
        latent: usize,
        /// N.
        images: usize,
    },
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
    Memory {
        /// Bytes.
        needed: u64,
        /// Bytes of the machine.
        available: u64,
    },
    /// A covariance of pixels beyond main memory.
    #[error("this needs {} MB of memory: expected at most the {} MB of this machine", needed >> 20, available >> 20)]
    CovarianceMemory {
        /// Bytes.
        needed: u64,
        /// Bytes of the machine.
        available: u64,
    },
    /// Main memory that the system refuses.
    #[error("the system gives no {} MB of memory: {source}", bytes >> 20)]
    Allocation {
        /// How much was asked for.
        bytes: usize,
        /// What the system said.
        source: io::Error,
    },
    /// Instructions that this CPU does not have.
    #[error("VAE_CPU is {asked}: expected one of those that this CPU has: {available}")]
    InstructionSet {
        /// The value of the variable.
        asked: String,
        /// The values that it may have.
        available: String,
    },
    /// A stream that cannot be read.
    #[error(transparent)]
    Stream(#[from] vae_stream::Error),
    /// Bytes that the system does not give.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Why images, labels or latents do not fit a model.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A stream without images.
    #[error("the stream holds no images: expected at least one")]
    NoImages,
    /// Whole numbers that are only 0 and 1: divided by 255 they would be almost black.
    #[error(
        "the images are whole numbers of 0 and 1 alone: expected 0 to 255, or bool, or f32 from 0 to 1; save them as bool \
         or f32"
    )]
    BinaryBytes,
    /// Images of another size, `[H, W]`.
    #[error(
        "the images are {} x {} pixels: expected {} x {}, as the model was made for",
        got[0], got[1], expected[0], expected[1]
    )]
    ImageSize {
        /// The size of the model.
        expected: [usize; 2],
        /// The size of the images.
        got: [usize; 2],
    },
    /// A pixel outside [0, 1].
    #[error(
        "pixel {at:?} of image {image} is {value}: expected [0, 1], where the means of a decoder lie; scale the images, or \
         save whole numbers as uint8"
    )]
    PixelRange {
        /// Row and column.
        at: [usize; 2],
        /// The index of the image in its source.
        image: u32,
        /// The value of the pixel.
        value: f32,
    },
    /// Images of another dtype than those before.
    #[error("the images change their dtype in the middle of the stream; expected one dtype")]
    DtypeChange,
    /// Indices `i` that are not one for each item.
    #[error("tensor i has shape {shape:?}: expected [{items}], an index for each item")]
    IndexShape {
        /// The shape of `i`.
        shape: Vec<usize>,
        /// N.
        items: usize,
    },
    /// No labels, for a conditional model.
    #[error(
        "there are no labels: expected a tensor y, one of {classes} classes for each item, since the model is conditional"
    )]
    NoLabels {
        /// K.
        classes: usize,
    },
    /// Labels `y` that are not one for each item.
    #[error("tensor y has shape {shape:?}: expected [{items}], a label for each item")]
    LabelShape {
        /// The shape of `y`.
        shape: Vec<usize>,
        /// N.
        items: usize,
    },
    /// A label that is no class.
    #[error("the label of item {item} is {label}: expected 0 to {}, one of {classes} classes", classes - 1)]
    Label {
        /// The position of the item in the stream.
        item: usize,
        /// Its label.
        label: i64,
        /// K.
        classes: usize,
    },
    /// Latents of another width than the model's.
    #[error("z has {got} dimensions: expected {expected}, as the model has")]
    LatentWidth {
        /// Z.
        expected: usize,
        /// The width of the latents.
        got: usize,
    },
    /// Latents that are NaN or infinite.
    #[error("z of item {item} holds {value}: expected finite numbers")]
    LatentNotFinite {
        /// The position of the item in the stream.
        item: usize,
        /// What it holds.
        value: f32,
    },
}

/// Why a file or a state dict is not the model that it should be.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Not in the format of a model file.
    #[error("{name} is not a model: {why}")]
    Format {
        /// What messages call the file.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A safetensors file of another program.
    #[error("{name} is a safetensors file without the metadata key `{key}`")]
    NoMetadata {
        /// What messages call the file.
        name: String,
        /// The key.
        key: &'static str,
    },
    /// A format newer than this code.
    #[error("{name} is a model of form {version}: expected at most {newest}")]
    Version {
        /// What messages call the file.
        name: String,
        /// The version of its form.
        version: u64,
        /// The newest that is read.
        newest: u32,
    },
    /// A digest that differs from the content's.
    #[error("{name} is damaged: its sha256 does not agree with its content")]
    Digest {
        /// What messages call the file.
        name: String,
    },
    /// A parameter that is missing.
    #[error("the model has no tensor {0}")]
    NoTensor(String),
    /// A parameter of another shape than the network's.
    #[error("tensor {name} of the model: expected shape {expected:?}, got {got:?}")]
    TensorShape {
        /// Its name.
        name: String,
        /// The shape in the network.
        expected: Vec<usize>,
        /// The shape in the model.
        got: Vec<usize>,
    },
}

/// Why a run cannot continue from a checkpoint.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// A model without the state of the optimizer.
    #[error("the checkpoint is a finished model, without the optimizer's state")]
    Finished,
    /// A checkpoint of another run.
    #[error("the checkpoint is of another run: expected {field} {expected}, got {got}")]
    Differs {
        /// The field of the spec.
        field: String,
        /// Its value in the checkpoint, as JSON.
        expected: String,
        /// Its value in the run.
        got: String,
    },
    /// A checkpoint beyond the last epoch.
    #[error("the checkpoint is in epoch {done}: expected at least that many epochs, got {epochs}")]
    Epochs {
        /// Of the checkpoint.
        done: usize,
        /// Of the run.
        epochs: usize,
    },
    /// Losses of the epoch under way that are not those of its images.
    #[error("the checkpoint is damaged: expected the losses of {expected} images, got {got}")]
    Losses {
        /// Images of the epoch so far.
        expected: usize,
        /// Images with losses.
        got: usize,
    },
}

/// Why no network can be built or trained as a [`Spec`](crate::model::Spec) says.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// A hyperparameter outside its range.
    #[error("{field} is {value}: expected {expected}")]
    OutOfRange {
        /// The field of the spec.
        field: &'static str,
        /// Its value.
        value: String,
        /// The range.
        expected: String,
    },
    /// The pixel values of black and white.
    #[error("input_range is {black:?},{white:?}: expected black below white")]
    InputRange {
        /// The value of black.
        black: f64,
        /// The value of white.
        white: f64,
    },
    /// An empty or too large layer or image side.
    #[error("the size of a layer or image is {size}: expected 1 to {most}")]
    Size {
        /// Its size.
        size: usize,
        /// The largest.
        most: usize,
    },
    /// Too many pixels.
    #[error("images of {h} x {w} pixels are too large: expected at most {most} pixels")]
    ImageArea {
        /// Rows.
        h: usize,
        /// Columns.
        w: usize,
        /// The most pixels.
        most: usize,
    },
    /// No channels.
    #[error("a convolutional network has no convolution: expected the channels of one or more")]
    NoConvolution,
    /// A patch, a kernel or an output of a convolution that is too large.
    #[error("a convolution has more than {most} values: expected fewer channels")]
    ConvSize {
        /// The most values.
        most: usize,
    },
    /// Layers or labels of principal components.
    #[error("principal components have no layers and no labels: expected neither")]
    PcaLayers,
    /// More components than pixels.
    #[error("latent is {latent}: expected at most {pixels} components, one for each pixel")]
    Components {
        /// The components asked for.
        latent: usize,
        /// H·W.
        pixels: usize,
    },
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
}
