using PostTrain.Data;
using PostTrain.Refinement;

namespace PostTrain.Search;

/// <summary>Makes search methods. Each asks a generator for all branches of a round at once, and a value for all of their scores.</summary>
/// <remarks>Docs: docs/search.md. What a generator or a value gives is checked: a wrong number of steps or scores, a score that is not
/// finite, an open step where the rest was asked for are an <see cref="InvalidOperationException"/> that names it.</remarks>
public static class SearchMethod
{
    /// <summary>Best of N: whole solutions, one of which is chosen by score, by vote, or by weighted vote.</summary>
    /// <param name="steps">Writes the solutions.</param>
    /// <param name="value">Scores them; null where the choice needs no score, as a majority vote.</param>
    /// <param name="options">Defaults when null.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static ISearchMethod BestOfN(IStepGenerator steps, ISolutionValue? value = null, BestOfNOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(steps);
        options ??= new BestOfNOptions();
        options.Validate();
        return new BestOfNMethod(steps, value, options);
    }

    /// <summary>Beam search over steps that a process reward model guides (Snell et al. 2024, arXiv:2408.03314, section 3.2).</summary>
    /// <param name="steps">Writes steps.</param>
    /// <param name="value">Scores partial solutions.</param>
    /// <param name="options">Defaults when null.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static ISearchMethod Beam(IStepGenerator steps, ISolutionValue value, StepBeamOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(steps);
        ArgumentNullException.ThrowIfNull(value);
        options ??= new StepBeamOptions();
        options.Validate();
        return new StepBeamMethod(steps, value, options);
    }

    /// <summary>Diverse verifier tree search: independent trees, each of which keeps its best step (Beeching, Tunstall and Rush
    /// 2024).</summary>
    /// <param name="steps">Writes steps.</param>
    /// <param name="value">Scores partial solutions.</param>
    /// <param name="options">Defaults when null.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static ISearchMethod DiverseTrees(IStepGenerator steps, ISolutionValue value, DiverseTreesOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(steps);
        ArgumentNullException.ThrowIfNull(value);
        options ??= new DiverseTreesOptions();
        options.Validate();
        return new DiverseTreesMethod(steps, value, options);
    }

    /// <summary>Tree of thoughts, breadth first or depth first, within a budget of steps (Yao et al. 2023, arXiv:2305.10601).</summary>
    /// <param name="steps">Writes thoughts.</param>
    /// <param name="value">Scores partial solutions.</param>
    /// <param name="options">Defaults when null.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static ISearchMethod TreeOfThoughts(IStepGenerator steps, ISolutionValue value, TreeOfThoughtsOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(steps);
        ArgumentNullException.ThrowIfNull(value);
        options ??= new TreeOfThoughtsOptions();
        options.Validate();
        return new TreeOfThoughtsMethod(steps, value, options);
    }

    /// <summary>Monte-Carlo tree search: see <see cref="MonteCarloTree"/>, which can also be used step by step.</summary>
    /// <param name="steps">Writes steps.</param>
    /// <param name="value">Values nodes, or whole solutions.</param>
    /// <param name="options">Defaults when null.</param>
    /// <param name="choice">Which of the complete solutions is taken. Default <see cref="SolutionChoice.Best"/>.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static ISearchMethod MonteCarlo(
        IStepGenerator steps,
        ISolutionValue value,
        MonteCarloOptions? options = null,
        SolutionChoice? choice = null
    )
    {
        ArgumentNullException.ThrowIfNull(steps);
        ArgumentNullException.ThrowIfNull(value);
        options ??= new MonteCarloOptions();
        options.Validate();
        return Of(
            "monte carlo",
            async (problem, seed, cancellation) =>
            {
                var tree = new MonteCarloTree(problem, steps, value, options, seed);
                await tree.SearchAsync(options.Simulations, cancellation).ConfigureAwait(false);
                return tree.Result(choice ?? SolutionChoice.Best);
            }
        );
    }

    /// <summary>Samples solutions until a rule is content with them: adaptive consistency and its kin.</summary>
    /// <param name="steps">Writes solutions.</param>
    /// <param name="value">Scores them; null where neither rule nor choice needs a score.</param>
    /// <param name="options">Defaults when null.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static ISearchMethod Adaptive(IStepGenerator steps, ISolutionValue? value = null, AdaptiveOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(steps);
        options ??= new AdaptiveOptions();
        options.Validate();
        return new AdaptiveMethod(steps, value, options);
    }

    /// <summary>Sequential revision: an answer, feedback, a better answer (<see cref="SelfRefinement"/>).</summary>
    /// <remarks>The seed is the refiner's own. The attempts are the candidates, scored by the feedback; the one that stands is
    /// chosen.</remarks>
    /// <param name="refiner">Writes and revises.</param>
    /// <param name="feedback">Judges; where it accepts, the search ends.</param>
    /// <param name="options">Defaults when null.</param>
    public static ISearchMethod Revision(IRefiner refiner, IFeedbackSource feedback, SelfRefinementOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(refiner);
        ArgumentNullException.ThrowIfNull(feedback);
        options ??= new SelfRefinementOptions();
        options.Validate();
        return new RevisionMethod(refiner, feedback, options);
    }

    /// <summary>A method of one's own.</summary>
    /// <param name="name">The name in tables.</param>
    /// <param name="run">Solves a problem from a seed.</param>
    public static ISearchMethod Of(string name, Func<Problem, ulong, CancellationToken, Task<SearchResult>> run)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(run);
        return new FunctionMethod(name, run);
    }

    private sealed class FunctionMethod(string name, Func<Problem, ulong, CancellationToken, Task<SearchResult>> run) : ISearchMethod
    {
        public string Name => name;

        public Task<SearchResult> RunAsync(Problem problem, ulong seed, CancellationToken cancellation = default) =>
            run(problem, seed, cancellation);
    }
}
