using System.Globalization;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>Gradient-guided search for a prompt of tokens: HotFlip (Ebrahimi et al. 2018, arXiv:1712.06751) and AutoPrompt (Shin et al.
/// 2020, arXiv:2010.15980) with a beam.</summary>
/// <remarks>
/// A round computes the gradient g of the loss at each position of each kept prompt, ranks the tokens v there by the first-order gain −(E_v
/// − E_cur)ᵀg, evaluates the best of them exactly, and keeps the best of the old and new prompts. The best loss therefore never rises, and
/// no estimate is reported. The best soft prompt of the same length is at least as good as any prompt found here, since token embeddings
/// are soft prompts.
/// </remarks>
public static class DiscretePromptSearch
{
    /// <summary>Runs the search.</summary>
    /// <param name="objective">The objective to minimise.</param>
    /// <param name="options">The options.</param>
    /// <param name="progress">Receives the progress after every round.</param>
    /// <param name="cancellation">Checked before every round.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="OperationCanceledException">The search was cancelled.</exception>
    public static DiscretePrompt Run(
        PromptObjective objective,
        DiscreteSearchOptions options,
        IProgress<DiscreteSearchProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(options);
        var allowed = options.Check((int)objective.Embeddings.size(0));
        using var scope = NewDisposeScope();
        var search = new Search(objective, options, allowed);
        Scored? best = null;
        for (var start = 0; start < options.Starts; start++)
        {
            cancellation.ThrowIfCancellationRequested();
            var beam = search.Keep(search.Evaluate(search.First(start)));
            for (var round = 0; round < options.Rounds; round++)
            {
                cancellation.ThrowIfCancellationRequested();
                var candidates = search.Expand(beam);
                beam = search.Keep([.. beam, .. search.Evaluate(candidates)]);
                best = best is null ? beam[0] : search.Keep([best, beam[0]])[0];
                progress?.Report(new DiscreteSearchProgress(start, round, best.Tokens, best.Loss, search.Evaluations));
                if (candidates.Count == 0)
                    break;
            }
        }

        // Evaluated separately: a product over many rows can differ from one over few in the last digits.
        return new DiscretePrompt(best!.Tokens, search.LossOf(best.Tokens), search.Evaluations);
    }

    private sealed record Scored(int[] Tokens, double Loss);

    private sealed class Search(PromptObjective objective, DiscreteSearchOptions options, int[] allowed)
    {
        private readonly Tensor ids = tensor(allowed.Select(id => (long)id).ToArray());
        private readonly Dictionary<string, Scored> known = new(StringComparer.Ordinal);
        private readonly HashSet<string> expanded = new(StringComparer.Ordinal);

        public int Evaluations => known.Count;

        /// <summary>Returns the random prompts of a start, and the given one in the first start.</summary>
        public List<int[]> First(int start)
        {
            var prompts = new List<int[]>();
            if (start == 0 && options.Initial is not null)
                prompts.Add([.. options.Initial]);
            for (var member = prompts.Count; member < options.Beam; member++)
                prompts.Add([
                    .. Enumerable
                        .Range(0, options.Length)
                        .Select(place =>
                            allowed[
                                CounterRandom.Below(
                                    allowed.Length,
                                    options.Seed,
                                    (ulong)(start * (long)options.Beam + member),
                                    (ulong)place
                                )
                            ]
                        ),
                ]);
            return prompts;
        }

        /// <summary>Returns the exact losses; known ones are looked up.</summary>
        public List<Scored> Evaluate(IReadOnlyList<int[]> prompts)
        {
            int[][] unknown = [.. prompts.Where(prompt => !known.ContainsKey(Key(prompt))).DistinctBy(Key)];
            if (unknown.Length > 0)
            {
                using var mode = no_grad();
                using var scope = NewDisposeScope();
                var losses = objective.Losses(Embedded(unknown)).to_type(ScalarType.Float64).cpu().data<double>().ToArray();
                for (var i = 0; i < unknown.Length; i++)
                    known.Add(Key(unknown[i]), new Scored(unknown[i], losses[i]));
            }

            return [.. prompts.Select(prompt => known[Key(prompt)])];
        }

        /// <summary>Returns the best different prompts, NaN last; equal losses are ordered by their ids, so that the result is determined
        /// by the seed.</summary>
        public Scored[] Keep(IReadOnlyList<Scored> prompts) =>
            [
                .. prompts
                    .DistinctBy(prompt => Key(prompt.Tokens))
                    .OrderBy(prompt => double.IsNaN(prompt.Loss) ? double.PositiveInfinity : prompt.Loss)
                    .ThenBy(prompt => Key(prompt.Tokens), StringComparer.Ordinal)
                    .Take(options.Beam),
            ];

        /// <summary>Returns the replacements to evaluate for the kept prompts that have not been expanded.</summary>
        public List<int[]> Expand(IReadOnlyList<Scored> beam)
        {
            int[][] next = [.. beam.Select(prompt => prompt.Tokens).Where(tokens => expanded.Add(Key(tokens)))];
            var candidates = new List<int[]>();
            if (next.Length == 0 || allowed.Length == 1)
                return candidates;
            using var scope = NewDisposeScope();
            var prompts = Embedded(next).requires_grad_(true);
            // With respect to the prompts only: the model's parameters may require gradients themselves.
            var gradient = Gradients.Of(objective.Losses(prompts).sum(), prompts);
            using var mode = no_grad();
            // −(E_v − E_cur)ᵀg; E_curᵀg is the same for all v of a position. A NaN gradient ranks last.
            var gains = nn.functional.linear(gradient, objective.Embeddings.index_select(0, ids)).neg().nan_to_num(double.MinValue);
            var count = Math.Min(options.Candidates + 1, allowed.Length);
            var order = gains.topk(count, dim: -1).indexes.cpu().data<long>().ToArray();
            for (var row = 0; row < next.Length; row++)
            {
                for (var place = 0; place < options.Length; place++)
                {
                    var ranked = order.AsSpan((row * options.Length + place) * count, count);
                    var added = 0;
                    foreach (var index in ranked)
                    {
                        var token = allowed[index];
                        // The current token is among the ranked ones, or one too many has been requested.
                        if (token == next[row][place] || added++ >= options.Candidates)
                            continue;
                        var candidate = (int[])next[row].Clone();
                        candidate[place] = token;
                        candidates.Add(candidate);
                    }
                }
            }

            return candidates;
        }

        public double LossOf(int[] tokens)
        {
            using var mode = no_grad();
            using var scope = NewDisposeScope();
            return objective.Losses(Embedded([tokens])).ToDouble();
        }

        private Tensor Embedded(int[][] prompts)
        {
            var flat = tensor(prompts.SelectMany(prompt => prompt).Select(id => (long)id).ToArray());
            return objective
                .Embeddings.index_select(0, flat)
                .reshape(prompts.Length, options.Length, objective.Embeddings.size(1))
                .detach();
        }

        private static string Key(int[] tokens) => string.Join(' ', tokens.Select(id => id.ToString("D9", CultureInfo.InvariantCulture)));
    }
}
