using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

/// <summary>A model whose next token depends on the last one by a table of logits, [V,V].</summary>
internal sealed class FixedLogits(Tensor table, int contextLength = 64) : CausalLm(nameof(FixedLogits))
{
    public override int VocabularySize => (int)table.size(1);

    public override int ContextLength => contextLength;

    public override int HiddenSize => VocabularySize;

    public override Tensor Embed(Tensor ids) => table.index_select(0, ids.reshape(-1)).reshape([.. ids.shape, VocabularySize]);

    public override Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null)
    {
        cache?.Advance((int)embeddings.size(1));
        return embeddings.alias();
    }

    public override Tensor Project(Tensor hidden) => hidden.alias();

    public override KeyValueCache NewCache(int batch, int capacity) => new(0, batch, 1, capacity, 1, table.dtype, table.device);

    // The table belongs to the test.
    protected override void RegisterComponents() { }
}
