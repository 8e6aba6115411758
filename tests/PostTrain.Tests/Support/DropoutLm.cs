using PostTrain.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Support;

/// <summary>A model whose training draws from torch's own generator: embedding, dropout, projection.</summary>
internal sealed class DropoutLm : CausalLm
{
    private readonly Embedding embedding;
    private readonly Dropout dropout = nn.Dropout(0.5);
    private readonly Linear head;

    /// <param name="vocabulary">Number of tokens.</param>
    /// <param name="scale">Weights lie between −scale and scale.</param>
    internal DropoutLm(int vocabulary, double scale = 0.5)
        : base(nameof(DropoutLm))
    {
        VocabularySize = vocabulary;
        embedding = nn.Embedding(vocabulary, 12);
        head = nn.Linear(12, vocabulary, hasBias: false);
        using (var scope = NewDisposeScope())
        using (no_grad())
        {
            embedding.weight!.copy_(Numbers.Uniform(1, scale, vocabulary, 12));
            head.weight!.copy_(Numbers.Uniform(2, scale, vocabulary, 12));
        }
        RegisterComponents();
    }

    public override int VocabularySize { get; }

    public override int ContextLength => 16;

    public override int HiddenSize => 12;

    public override Tensor Embed(Tensor ids) => embedding.call(ids);

    public override Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null)
    {
        cache?.Advance((int)embeddings.size(1));
        return dropout.call(embeddings);
    }

    public override Tensor Project(Tensor hidden) => head.call(hidden);

    public override KeyValueCache NewCache(int batch, int capacity) => new(0, batch, 1, capacity, 1, ScalarType.Float32, CPU);
}
