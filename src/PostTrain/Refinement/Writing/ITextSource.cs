using PostTrain.Text;

namespace PostTrain.Refinement.Writing;

/// <summary>A source of completions: a local model, a chat service, a function.</summary>
public interface ITextSource
{
    /// <summary>Returns one completion per prompt, in order.</summary>
    /// <param name="prompts">At least one. Prompts rendered by a chat template are marked: a source that encodes text passes the whole
    /// value, not its characters, to <see cref="ITokenizer.Encode(MarkedText)"/>.</param>
    /// <param name="request">The request.</param>
    /// <param name="cancellation">Cancels the work.</param>
    Task<IReadOnlyList<SourcedText>> CompleteAsync(
        IReadOnlyList<MarkedText> prompts,
        TextRequest request,
        CancellationToken cancellation = default
    );
}
