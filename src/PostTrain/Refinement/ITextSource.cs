namespace PostTrain.Refinement;

/// <summary>Whatever continues texts: a local model, a chat service, a function.</summary>
public interface ITextSource
{
    /// <summary>One completion for each prompt, in their order.</summary>
    /// <param name="prompts">At least one.</param>
    /// <param name="request">How.</param>
    /// <param name="cancellation">Ends the work.</param>
    Task<IReadOnlyList<SourcedText>> CompleteAsync(
        IReadOnlyList<string> prompts,
        TextRequest request,
        CancellationToken cancellation = default
    );
}
