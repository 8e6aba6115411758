using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Vision;

/// <summary>A language model that reads pictures among its tokens: an encoder makes features of their patches, a projector makes embeddings
/// of these.</summary>
/// <remarks>
/// <para>Liu et al. 2023 (LLaVA), arXiv:2304.08485. It is a <see cref="CausalLm"/> itself, so that samplers, trainers and adapters take it
/// as it is. The pictures are those of the last <see cref="Show"/>; picture i is the ids V + i·F to V + i·F + F − 1 in a text, F its
/// feature
/// vectors, V the language model's ids. <see cref="PictureTokenizer"/> writes them into texts. They are read only and never
/// predicted.</para>
/// <para>Two stages: <see cref="Train"/>(<see cref="VisionParts.Projector"/>) on descriptions of pictures, which leaves the language model
/// and the encoder as they are, then with <see cref="VisionParts.Language"/> on questions.</para>
/// </remarks>
public sealed class VisionLm : CausalLm
{
    internal const string LanguageName = "language_model",
        EncoderName = "vision_tower",
        ProjectorName = "multi_modal_projector";

    private Tensor? pictures;

    /// <summary>Puts the parts together; they belong to the new model and are disposed with it.</summary>
    /// <param name="language">Any model that can be called with embeddings.</param>
    /// <param name="encoder">Makes features of pictures.</param>
    /// <param name="projector">Makes embeddings of features.</param>
    /// <exception cref="ArgumentException">The projector's sizes are not those of the two others.</exception>
    public VisionLm(CausalLm language, VisionEncoder encoder, VisionProjector projector)
        : base(nameof(VisionLm))
    {
        ArgumentNullException.ThrowIfNull(language);
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(projector);
        if (projector.Options.Inputs != encoder.Config.FeatureSize || projector.Options.Outputs != language.HiddenSize)
            throw new ArgumentException(
                $"The projector maps {projector.Options.Inputs} to {projector.Options.Outputs}, expected {encoder.Config.FeatureSize}, the "
                    + $"encoder's features, to {language.HiddenSize}, the language model's embeddings.",
                nameof(projector)
            );
        (Language, Encoder, Projector) = (language, encoder, projector);
        register_module(LanguageName, language);
        register_module(EncoderName, encoder);
        register_module(ProjectorName, projector);
    }

    /// <summary>The language model.</summary>
    public CausalLm Language { get; }

    /// <summary>The encoder of pictures.</summary>
    public VisionEncoder Encoder { get; }

    /// <summary>The projector.</summary>
    public VisionProjector Projector { get; }

    /// <summary>Id that stands for a feature vector in transformers' texts (<c>image_token_index</c>), which <see cref="Llava"/> writes;
    /// null
    /// if it is not known.</summary>
    public int? ImageTokenId { get; init; }

    /// <summary>Number of pictures that can be read.</summary>
    public int PictureCount { get; private set; }

    /// <summary>F, feature vectors and so positions of a picture.</summary>
    public int FeatureCount => Encoder.Config.FeatureCount;

    /// <inheritdoc/>
    public override int VocabularySize => Language.VocabularySize;

    /// <summary>V + F · number of pictures.</summary>
    public override int InputVocabularySize => checked(VocabularySize + PictureCount * FeatureCount);

    /// <summary>The language model's context; each feature vector of a picture takes a position.</summary>
    public override int ContextLength => Language.ContextLength;

    /// <inheritdoc/>
    public override int HiddenSize => Language.HiddenSize;

    /// <inheritdoc/>
    public override IReadOnlyList<int> EndOfSequenceIds => Language.EndOfSequenceIds;

    /// <summary>The settings of the checkpoint from which this was loaded.</summary>
    internal Models.HuggingFace.CheckpointOrigin? Origin { get; init; }

    /// <summary>Replaces the pictures that texts can name.</summary>
    /// <param name="pictures">[N,C,H,W], floating point, scaled as the encoder expects; copied.</param>
    /// <exception cref="ArgumentException">The pictures do not have the encoder's size.</exception>
    public void Show(Tensor pictures)
    {
        Encoder.CheckPictures(pictures, nameof(pictures));
        var copy = pictures.detach().clone().DetachFromDisposeScope();
        this.pictures?.Dispose();
        (this.pictures, PictureCount) = (copy, checked((int)copy.size(0)));
    }

    /// <summary>Lets the parameters of some parts require a gradient, and no others.</summary>
    /// <param name="parts">Parts that are trained from now on.</param>
    public void Train(VisionParts parts)
    {
        foreach (
            var (module, part) in ((nn.Module, VisionParts)[])
                [(Language, VisionParts.Language), (Encoder, VisionParts.Encoder), (Projector, VisionParts.Projector)]
        )
        {
            foreach (var parameter in module.parameters())
                parameter.requires_grad = parts.HasFlag(part);
        }
    }

    /// <summary>Returns the embeddings of tokens and pictures: [B,T] to [B,T,D]. Each picture that occurs is encoded once.</summary>
    /// <exception cref="ArgumentException">An id is outside the vocabulary and no picture's.</exception>
    public override Tensor Embed(Tensor ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        Guard.Ids(ids, nameof(ids));
        using var scope = NewDisposeScope();
        var isPicture = ids.ge(VocabularySize);
        var known = Language.Embed(ids.masked_fill(isPicture, 0));
        // With a cache all calls but the first read real tokens only.
        if (!isPicture.any().ToBoolean())
            return known.MoveToOuterDisposeScope();
        if (ids.max().ToInt64() is var last && last >= InputVocabularySize)
            throw new ArgumentException(
                $"ids holds {last}, expected ids from 0 to {InputVocabularySize - 1}, those of {PictureCount} pictures included.",
                nameof(ids)
            );
        var (places, row) = Places(ids.masked_select(isPicture) - VocabularySize);
        var type = known.dtype;
        var features = Projector.call(Encoder.call(pictures!.index_select(0, places.to(pictures.device)).to(type, ids.device)));
        var values = features.reshape(-1, HiddenSize).index_select(0, row).to_type(type);
        return known
            .reshape(-1, HiddenSize)
            .index_copy(0, isPicture.reshape(-1).nonzero().reshape(-1), values)
            .reshape(known.shape)
            .MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null) =>
        Language.HiddenFromEmbeddings(embeddings, attentionMask, cache);

    /// <inheritdoc/>
    public override Tensor Project(Tensor hidden) => Language.Project(hidden);

    /// <inheritdoc/>
    public override KeyValueCache NewCache(int batch, int capacity) => Language.NewCache(batch, capacity);

    /// <summary>Does nothing: the parts are registered by name.</summary>
    protected override void RegisterComponents() { }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            pictures?.Dispose();
        base.Dispose(disposing);
    }

    // The different pictures among positions i·F + j, and for each position its row among the features of these.
    private (Tensor Pictures, Tensor Rows) Places(Tensor positions)
    {
        var picture = positions.div(FeatureCount, RoundingMode.floor);
        var (different, inverse, _) = picture.unique(return_inverse: true);
        return (different, inverse!.reshape(-1) * FeatureCount + positions.remainder(FeatureCount));
    }
}
