using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>What a prompt of tokens is judged by: a loss that can be taken of any embeddings in the tokens' place.</summary>
public abstract class PromptObjective : IDisposable
{
    /// <summary>The tokens' embeddings E, [V,D]. They belong to the objective.</summary>
    public abstract Tensor Embeddings { get; }

    /// <summary>The losses of C prompts: [C,n,D] to [C], each a function of its own prompt only, differentiable.</summary>
    public abstract Tensor Losses(Tensor prompts);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the objective holds.</summary>
    protected abstract void Dispose(bool disposing);
}
