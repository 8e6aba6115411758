using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>One trainable matrix with the name <c>weight</c>, as in PEFT's encoders.</summary>
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
