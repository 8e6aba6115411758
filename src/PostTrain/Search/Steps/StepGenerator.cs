using PostTrain.Models;
using PostTrain.Refinement;
using PostTrain.Refinement.Writing;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Search;

/// <summary>Makes generators of steps.</summary>
public static class StepGenerator
{
    /// <summary>A local model with its cache: see <see cref="SamplerSteps"/>. The caller disposes it.</summary>
    /// <param name="model">Continues; stays with the caller.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="options">Defaults when null.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static SamplerSteps Of(CausalLm model, ITokenizer tokenizer, StepOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        return new SamplerSteps(model, tokenizer, options ?? new StepOptions());
    }

    /// <summary>A rollout source, such as a server: the branches of a round are one request. Steps have tokens and log-probs, as those of a
    /// local model.</summary>
    /// <param name="source">Continues prompts and steps, which go as token ids.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="options">Defaults when null; no cache is kept here.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static IStepGenerator Of(IRolloutSource source, ITokenizer tokenizer, StepOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(tokenizer);
        return new RolloutSteps(source, tokenizer, options ?? new StepOptions());
    }

    /// <summary>A text source, such as a chat service: a step is its continuation up to the first separator, what comes behind is
    /// dropped.</summary>
    /// <remarks>Each branch of a round has a seed of its own; the source is asked once for each.</remarks>
    /// <param name="source">Continues prompt and text.</param>
    /// <param name="request">Options of sampling; their seed is replaced. Defaults when null.</param>
    /// <param name="separator">The end of a step; an empty line by default.</param>
    public static IStepGenerator Of(ITextSource source, TextRequest? request = null, string separator = "\n\n")
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentException.ThrowIfNullOrEmpty(separator);
        return new SourceSteps(source, request ?? new TextRequest(), separator);
    }

    /// <summary>A table: the steps that can follow a solution, with their probabilities.</summary>
    /// <remarks>A sampled step is drawn by the request's seed, or, where <paramref name="lists"/>, is the next in order
    /// (<see cref="StepRequest.Draw"/>), so that a tree search meets every one. A greedy step is the likeliest, the first among
    /// equals.</remarks>
    /// <param name="choices">Of a solution that is not complete: at least one step, with probabilities that sum to 1.</param>
    /// <param name="lists">True to return steps in order, not at random. Default false.</param>
    public static IStepGenerator Table(
        Func<PartialSolution, IReadOnlyList<(SearchStep Step, double Probability)>> choices,
        bool lists = false
    )
    {
        ArgumentNullException.ThrowIfNull(choices);
        return new TableSteps(choices, lists);
    }

    /// <summary>A function of all requests of a round.</summary>
    /// <param name="continuing">One step for each request; one that ends where <see cref="StepRequest.ToEnd"/>.</param>
    public static IStepGenerator Of(Func<IReadOnlyList<StepRequest>, CancellationToken, ValueTask<IReadOnlyList<SearchStep>>> continuing)
    {
        ArgumentNullException.ThrowIfNull(continuing);
        return new FunctionSteps(continuing);
    }

    private sealed class FunctionSteps(Func<IReadOnlyList<StepRequest>, CancellationToken, ValueTask<IReadOnlyList<SearchStep>>> continuing)
        : IStepGenerator
    {
        public ValueTask<IReadOnlyList<SearchStep>> ContinueAsync(
            IReadOnlyList<StepRequest> requests,
            CancellationToken cancellation = default
        ) => continuing(requests, cancellation);
    }
}
