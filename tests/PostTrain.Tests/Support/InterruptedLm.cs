using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Support;

/// <summary>A model with dropout that calls a test back with its logits, which may change them or throw.</summary>
internal sealed class InterruptedLm : CausalLm
{
    private readonly DropoutLm inner;

    /// <param name="scale">Weights lie between −scale and scale.</param>
    internal InterruptedLm(double scale = 0.5)
        : base(nameof(InterruptedLm))
    {
        inner = new DropoutLm(Toy.Tokenizer.VocabularySize, scale);
        RegisterComponents();
    }

    /// <summary>Called with the logits and whether the model is in training; null gives them as they are.</summary>
    internal Func<Tensor, bool, Tensor>? Logits { get; set; }

    public override int VocabularySize => inner.VocabularySize;

    public override int ContextLength => inner.ContextLength;

    public override int HiddenSize => inner.HiddenSize;

    public override Tensor Embed(Tensor ids) => inner.Embed(ids);

    public override Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null) =>
        inner.HiddenFromEmbeddings(embeddings, attentionMask, cache);

    public override Tensor Project(Tensor hidden) => Logits is { } change ? change(inner.Project(hidden), training) : inner.Project(hidden);

    public override KeyValueCache NewCache(int batch, int capacity) => inner.NewCache(batch, capacity);
}
