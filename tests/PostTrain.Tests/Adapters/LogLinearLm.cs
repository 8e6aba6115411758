using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Adapters;

/// <summary>Logits W·(sum of the embeddings up to here): one soft vector p adds W p to every logit.</summary>
internal sealed class LogLinearLm(Tensor embeddings, Tensor readout) : CausalLm(nameof(LogLinearLm))
{
    public override int VocabularySize => (int)readout.size(0);

    public override int ContextLength => 16;

    public override int HiddenSize => (int)readout.size(1);

    public override Tensor Embed(Tensor ids) => embeddings.index_select(0, ids.reshape(-1)).reshape([.. ids.shape, HiddenSize]);

    public override Tensor HiddenFromEmbeddings(Tensor given, Tensor? attentionMask = null, KeyValueCache? cache = null) => given.cumsum(1);

    public override Tensor Project(Tensor hidden) => hidden.matmul(readout.t());

    public override KeyValueCache NewCache(int batch, int capacity) => throw new NotSupportedException();

    // The tensors belong to the test.
    protected override void RegisterComponents() { }
}
