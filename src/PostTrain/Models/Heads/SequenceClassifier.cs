using PostTrain.Models.HuggingFace;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models.Heads;

/// <summary>A model that scores texts: a body and a linear head, s = W h + b with W [K,D]. One score per sequence makes a reward model, one
/// per token a process reward model or a critic.</summary>
/// <remarks>
/// The layout is that of transformers' <c>LlamaForSequenceClassification</c> and similar classes: the head is <c>score</c>, the other names
/// are those of the language model's body; <see cref="Pretrained.LoadRewardModel"/> reads such checkpoints. The classifier owns its body
/// and disposes it.
/// <para>The scored position is found in two ways: <see cref="Score"/> uses the mask, <see cref="ScoreAtLastNonPadding"/> the ids, as in
/// transformers. They differ if a text contains the padding id, e.g. if padding is the end-of-sequence token.</para>
/// </remarks>
public sealed class SequenceClassifier : nn.Module<Tensor, Tensor>
{
    private readonly Linear score;

    internal SequenceClassifier(CausalLm body, Linear head, int? paddingId)
        : base(nameof(SequenceClassifier))
    {
        (Body, score, PaddingId) = (body, head, paddingId);
        Labels = (int)head.weight!.size(0);
        BodyParts.Register(body, register_module, register_parameter);
        register_module("score", score);
    }

    /// <summary>The model under the head; it belongs to the classifier.</summary>
    public CausalLm Body { get; }

    /// <summary>Number of scores, K.</summary>
    public int Labels { get; }

    /// <summary>Id of the padding token, or null if unknown.</summary>
    public int? PaddingId { get; }

    /// <summary>The head: weight [K,D] and, if present, bias [K].</summary>
    public Linear Head => score;

    /// <summary>The settings of the checkpoint from which the classifier was loaded.</summary>
    internal CheckpointOrigin? Origin { get; init; }

    /// <summary>Creates a classifier with a new head on an existing model.</summary>
    /// <param name="body">The model, owned by the classifier from now on. A decoder's output projection is neither used nor
    /// trained.</param>
    /// <param name="options">The options; null: one score.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static SequenceClassifier For(CausalLm body, ClassifierOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(body);
        options ??= new ClassifierOptions();
        options.Validate();
        var head = BodyParts.Head(body, options.Labels, options.Bias, BodyParts.TypeOf(body), options.Head);
        return new SequenceClassifier(body, head, options.PaddingId ?? (body as Decoder)?.Config.PaddingId);
    }

    /// <summary>Computes the scores at every token (process reward): [B,T] to [B,T,K].</summary>
    /// <param name="ids">Token ids, [B,T].</param>
    /// <param name="attentionMask">As in <see cref="CausalLm.Hidden"/>; null: no padding. Scores at padding are meaningless.</param>
    public Tensor TokenScores(Tensor ids, Tensor? attentionMask = null)
    {
        using var scope = NewDisposeScope();
        return score.call(Body.Hidden(ids, attentionMask)).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the scores of whole sequences at the last unmasked position: [B,T] to [B,K].</summary>
    /// <param name="ids">Token ids, [B,T].</param>
    /// <param name="attentionMask">[B,T]; 0 at padding, on either side. A row without tokens is scored at its first position; the score is
    /// meaningless.</param>
    /// <exception cref="ArgumentException">The mask and the ids differ in shape.</exception>
    public Tensor Score(Tensor ids, Tensor attentionMask)
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(attentionMask);
        Guard.Rank(ids, nameof(ids), 2, "[B,T]");
        Guard.SameShape(attentionMask, nameof(attentionMask), ids, nameof(ids));
        using var scope = NewDisposeScope();
        return At(Last(attentionMask.ne(0)), ids, attentionMask).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the scores of whole sequences at the last position whose id is not <see cref="PaddingId"/>, regardless of the
    /// mask: [B,T] to [B,K].</summary>
    /// <remarks>transformers' convention. With learned positions and left padding the numbers differ from transformers: by default it
    /// counts positions from the first padding token, this model from the first token.</remarks>
    /// <param name="ids">Token ids, [B,T]. A row of padding only is scored at its first position.</param>
    /// <param name="attentionMask">As in <see cref="CausalLm.Hidden"/>; null: no padding.</param>
    /// <exception cref="ArgumentException">There are several rows and the padding id is unknown.</exception>
    public Tensor ScoreAtLastNonPadding(Tensor ids, Tensor? attentionMask = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        Guard.Rank(ids, nameof(ids), 2, "[B,T]");
        if (PaddingId is null && ids.size(0) > 1)
            throw new ArgumentException(
                $"ids has {ids.size(0)} rows and the model knows no padding id, expected one row, or a mask and {nameof(Score)}",
                nameof(ids)
            );
        using var scope = NewDisposeScope();
        var counted = PaddingId is { } padding ? ids.ne(padding) : ids.eq(ids);
        return At(Last(counted), ids, attentionMask).MoveToOuterDisposeScope();
    }

    /// <summary>Computes <see cref="ScoreAtLastNonPadding"/> without a mask: [B,T] to [B,K].</summary>
    public override Tensor forward(Tensor input) => ScoreAtLastNonPadding(input);

    /// <summary>Does nothing: the parts are registered under their checkpoint's names.</summary>
    protected override void RegisterComponents() { }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Body.Dispose();
        base.Dispose(disposing);
    }

    // The largest counted index; 0 if there is none.
    private static Tensor Last(Tensor counted) =>
        arange(counted.size(1), dtype: ScalarType.Int64, device: counted.device).mul(counted.to_type(ScalarType.Int64)).amax([1L]);

    private Tensor At(Tensor positions, Tensor ids, Tensor? mask)
    {
        var hidden = Body.Hidden(ids, mask);
        var at = positions.reshape(-1, 1, 1).expand(-1, 1, hidden.size(2));
        return score.call(hidden.gather(1, at).squeeze(1));
    }
}
