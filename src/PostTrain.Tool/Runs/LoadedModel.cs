using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Tool;

/// <summary>A model of the user's with its tokenizer, and the adapter that is trained on it.</summary>
/// <param name="Folder">The model's directory.</param>
/// <param name="Model">The model.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Adapters">The adapter; null where all weights are trained.</param>
internal sealed record LoadedModel(string Folder, Decoder Model, ITokenizer Tokenizer, AdaptedModel? Adapters) : IDisposable
{
    private Decoder? frozen;

    /// <summary>Numbers that are trained.</summary>
    internal long Trained => Model.parameters().Where(parameter => parameter.requires_grad).Sum(parameter => parameter.numel());

    /// <summary>The model as it was: without its adapter, or a copy made now.</summary>
    internal ReferencePolicy Reference() => Adapters?.Reference(Model) ?? ReferencePolicy.Of(frozen ??= Model.Copy());

    /// <summary>Sampling over the ids that the tokenizer knows.</summary>
    internal SamplingOptions Sampling(int tokens) =>
        new() { MaxNewTokens = tokens, SuppressedTokens = Sampled.WithoutText(Model, Tokenizer) };

    public void Dispose()
    {
        Adapters?.Dispose();
        frozen?.Dispose();
        Model.Dispose();
    }
}
