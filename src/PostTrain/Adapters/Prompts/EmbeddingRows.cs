using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>One trainable matrix under the name <c>weight</c>, as PEFT's encoders hold it.</summary>
internal sealed class EmbeddingRows : nn.Module
{
    private readonly Parameter weight;

    public EmbeddingRows(Tensor rows)
        : base(nameof(EmbeddingRows))
    {
        weight = PromptParameters.Own(rows);
        RegisterComponents();
    }

    public Parameter Weight => weight;
}
