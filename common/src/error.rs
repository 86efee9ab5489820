//! What can go wrong, by its cause. The messages say what happened; programs add the remedy, in the words of their options.

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the models or of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A spec of no network.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A program's own failure, below a library call.
    #[error(transparent)]
    Program(#[from] vae_cli::Error),
}

impl From<vae_stream::Error> for Error {
    fn from(error: vae_stream::Error) -> Error {
        Error::Program(error.into())
    }
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
