using PostTrain.Text;

namespace PostTrain.Refinement.Writing;

/// <summary>Whatever continues texts: a local model, a chat service, a function.</summary>
public interface ITextSource
{
    /// <summary>One completion for each prompt, in their order.</summary>
    /// <param name="prompts">At least one. What a chat template rendered is marked so: a source that turns text into ids gives
    /// <see cref="ITokenizer.Encode(MarkedText)"/> the whole value and not its characters.</param>
    /// <param name="request">How.</param>
    /// <param name="cancellation">Ends the work.</param>
    Task<IReadOnlyList<SourcedText>> CompleteAsync(
        IReadOnlyList<MarkedText> prompts,
        TextRequest request,
        CancellationToken cancellation = default
    );
}
