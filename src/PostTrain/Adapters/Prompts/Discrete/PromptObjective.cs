using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>The objective of a prompt of tokens: a loss that is defined for any embeddings in their place.</summary>
public abstract class PromptObjective : IDisposable
{
    /// <summary>The token embeddings E, [V,D]; owned by the objective.</summary>
    public abstract Tensor Embeddings { get; }

    /// <summary>Computes the losses of C prompts, [C,n,D] to [C], each a differentiable function of its own prompt only.</summary>
    public abstract Tensor Losses(Tensor prompts);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the objective's resources.</summary>
    protected abstract void Dispose(bool disposing);
}
