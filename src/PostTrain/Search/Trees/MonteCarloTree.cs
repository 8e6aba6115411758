using PostTrain.Data;
using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>Monte-Carlo tree search over steps: select, draw a step, value it, back the value up.</summary>
/// <remarks>
/// A simulation descends by <see cref="MonteCarloOptions.Selection"/> until a node that may draw another step, or a complete solution.
/// With <see cref="MonteCarloOptions.Batch"/> several descend at once and ask the generator together. <see cref="Advance"/> keeps a
/// branch's tree when its step is taken.
/// </remarks>
/// <example><code>
/// var tree = new MonteCarloTree(problem, steps, value, new MonteCarloOptions { Selection = TreeSelection.Puct(), Batch = 8 }, seed: 1);
/// while (!tree.Root.Solution.IsComplete)
/// {
///     await tree.SearchAsync(64);
///     tree.Advance(tree.Root.MostVisited!);
/// }
/// </code></example>
public sealed class MonteCarloTree
{
    private readonly MonteCarloOptions options;
    private readonly SearchRun run;
    private readonly Dictionary<string, ScoredSolution> found = new(StringComparer.Ordinal);
    private bool cancelled;

    /// <param name="problem">The problem.</param>
    /// <param name="steps">Writes steps.</param>
    /// <param name="value">Values nodes, or whole solutions.</param>
    /// <param name="options">Defaults when null.</param>
    /// <param name="seed">Seed of all randomness.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public MonteCarloTree(Problem problem, IStepGenerator steps, ISolutionValue value, MonteCarloOptions? options = null, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(steps);
        ArgumentNullException.ThrowIfNull(value);
        this.options = options ?? new MonteCarloOptions();
        this.options.Validate();
        run = new SearchRun(steps, value, this.options.Aggregation, seed);
        Root = new SearchNode(PartialSolution.Start(problem));
    }

    /// <summary>The root, the start of simulations. Its <see cref="SearchNode.Mean"/> is the estimate of the problem's value.</summary>
    public SearchNode Root { get; private set; }

    /// <summary>Runs simulations.</summary>
    /// <param name="simulations">At least 1.</param>
    /// <param name="cancellation">Looked at between rounds: the tree stays as it was after the last finished simulation.</param>
    /// <exception cref="OperationCanceledException">It was cancelled before the first simulation of the tree.</exception>
    public async Task SearchAsync(int simulations, CancellationToken cancellation = default)
    {
        Guard.AtLeast(simulations, 1, nameof(simulations));
        cancelled = false;
        try
        {
            for (var done = 0; done < simulations; done += options.Batch)
                await RoundAsync(Math.Min(options.Batch, simulations - done), cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested && Root.Visits > 0)
        {
            cancelled = true;
        }
    }

    /// <summary>Takes a step: its branch becomes the root with all that is known of it, the others are dropped.</summary>
    /// <param name="child">A child of <see cref="Root"/>.</param>
    /// <exception cref="ArgumentException">It is none.</exception>
    public void Advance(SearchNode child)
    {
        ArgumentNullException.ThrowIfNull(child);
        if (!Root.Children.Contains(child))
            throw new ArgumentException("child is no child of the root, expected one", nameof(child));
        Root = child;
        foreach (var text in found.Keys.Where(text => !text.StartsWith(child.Solution.Text, StringComparison.Ordinal)).ToArray())
            found.Remove(text);
    }

    /// <summary>The complete solutions that were valued, and the chosen one; where there is none, the end of the most visited path with its
    /// mean.</summary>
    /// <param name="choice">The chosen branch.</param>
    /// <exception cref="InvalidOperationException">No simulation was run.</exception>
    public SearchResult Result(SolutionChoice choice)
    {
        ArgumentNullException.ThrowIfNull(choice);
        if (Root.Visits == 0)
            throw new InvalidOperationException("the tree has no simulation, expected at least one before its result");
        if (found.Count > 0)
            return run.Result([.. found.Values], choice, cancelled);
        var end = Root;
        while (end.MostVisited is { Visits: > 0 } next)
            end = next;
        return run.Result([new ScoredSolution(end.Solution, [], end.Mean)], choice, cancelled);
    }

    private async Task RoundAsync(int count, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        TreeSimulation[] simulations = [.. Enumerable.Range(0, count).Select(_ => new TreeSimulation(Root, options))];
        try
        {
            while (simulations.Any(simulation => !simulation.HasArrived))
            {
                foreach (var simulation in simulations)
                    simulation.Descend();
                TreeSimulation[] drawing = [.. simulations.Where(simulation => simulation.IsDrawing)];
                var next = await run.ExtendAsync(
                        [.. drawing.Select(simulation => simulation.Node.Solution)],
                        toEnd: false,
                        greedy: false,
                        cancellation,
                        [.. drawing.Select(simulation => simulation.Draw)]
                    )
                    .ConfigureAwait(false);
                for (var i = 0; i < drawing.Length; i++)
                    drawing[i].Take(next[i]);
            }

            var values = await ValuesAsync(simulations, cancellation).ConfigureAwait(false);
            for (var i = 0; i < simulations.Length; i++)
                simulations[i].BackUp(values[i]);
        }
        finally
        {
            foreach (var simulation in simulations)
                simulation.Abandon();
        }
    }

    private async Task<double[]> ValuesAsync(TreeSimulation[] simulations, CancellationToken cancellation)
    {
        int[] asked = [.. Enumerable.Range(0, simulations.Length).Where(i => options.Revalues || simulations[i].Node.Own is null)];
        PartialSolution[] solutions = [.. asked.Select(i => simulations[i].Node.Solution)];
        if (options.Evaluation == TreeEvaluation.Rollout)
        {
            int[] open = [.. Enumerable.Range(0, solutions.Length).Where(i => !solutions[i].IsComplete)];
            var rest = await run.ExtendAsync([.. open.Select(i => solutions[i])], toEnd: true, greedy: false, cancellation)
                .ConfigureAwait(false);
            for (var i = 0; i < open.Length; i++)
                solutions[open[i]] = rest[i];
        }

        var scored = await run.ScoreAsync(solutions, cancellation).ConfigureAwait(false);
        var values = Array.ConvertAll(simulations, simulation => simulation.Node.Own?.Score ?? 0);
        for (var i = 0; i < asked.Length; i++)
        {
            var node = simulations[asked[i]].Node;
            if (ReferenceEquals(solutions[i], node.Solution))
                node.Own = scored[i];
            if (solutions[i].IsComplete)
                found[solutions[i].Text] = scored[i];
            values[asked[i]] = scored[i].Score;
        }

        return values;
    }
}
