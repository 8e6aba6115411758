using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

/// <summary>A model whose parameters are the logits of the next token for each last token, [V,V]: probabilities and gradients are
/// known.</summary>
internal sealed class BigramLm : CausalLm
{
    private readonly Parameter table;

    /// <param name="logits">What the row of the last prompt token holds; the other rows are 0.</param>
    internal BigramLm(params double[] logits)
        : base(nameof(BigramLm))
    {
        using (var scope = NewDisposeScope())
        using (no_grad())
        {
            var start = zeros([VocabularySize, VocabularySize], dtype: ScalarType.Float64);
            if (logits.Length > 0)
                start[Row].copy_(tensor(logits));
            table = (Parameter)new Parameter(start).DetachFromDisposeScope();
        }
        RegisterComponents();
    }

    /// <summary>The token that prompts end with, and so the row that first tokens are drawn from.</summary>
    internal static int Row { get; } = Toy.Tokenizer.Encode("=")[0];

    /// <summary>The gradient of that row, which the last update left.</summary>
    internal double[] Gradient => Numbers.Values(table.grad![Row]);

    public override int VocabularySize => Toy.Tokenizer.VocabularySize;

    public override int ContextLength => 16;

    public override int HiddenSize => VocabularySize;

    public override Tensor Embed(Tensor ids) => table.index_select(0, ids.reshape(-1)).reshape([.. ids.shape, VocabularySize]);

    public override Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null)
    {
        cache?.Advance((int)embeddings.size(1));
        return embeddings.alias();
    }

    public override Tensor Project(Tensor hidden) => hidden.alias();

    public override KeyValueCache NewCache(int batch, int capacity) => new(0, batch, 1, capacity, 1, ScalarType.Float64, CPU);
}
