using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;

namespace PostTrain.Refinement.Restarts;

/// <summary>Restart and explore: problems that begin within the policy's own rollouts, right and wrong ones, with a marker that tells it to
/// look back.</summary>
/// <remarks>
/// Shen et al. 2025 (Satori), arXiv:2502.02508, section 4.2. From wrong rollouts the policy practises repairing, from right ones not to
/// spoil; <see cref="RestartRewards.WithProgress"/> rewards both. Train on restarts together with the problems themselves, and draw them
/// anew as the policy changes.
/// </remarks>
/// <example><code>
/// var restarts = RestartAndExplore.From(rollouts, rewards, new RestartOptions { PerRollout = 2 });
/// using var trainer = new PpoTrainer(policy, tokenizer, reward.WithProgress(restarts, alpha: 0.5), options with { Critic = critic, Reference = reference });
/// await foreach (var report in trainer.RunAsync([.. problems, .. restarts.Select(restart => restart.Problem)])) Console.WriteLine(report);
/// </code></example>
public static class RestartAndExplore
{
    /// <summary>Cuts each rollout at the ends of steps, drawn evenly, and appends the marker.</summary>
    /// <param name="rollouts">The policy's own completions. One without steps gives nothing.</param>
    /// <param name="rewards">The reward of each, finite: what <see cref="Restart.EarlierReward"/> says of its restarts.</param>
    /// <param name="options">The defaults when null.</param>
    /// <returns>In the order of the rollouts. Prompts grow: leave out those that do not fit the model's context.</returns>
    /// <exception cref="ArgumentException">The numbers of rollouts and rewards differ, a reward is not finite, or an option is out of
    /// range.</exception>
    public static IReadOnlyList<Restart> From(
        IReadOnlyList<Completion> rollouts,
        IReadOnlyList<double> rewards,
        RestartOptions? options = null
    )
    {
        ArgumentNullException.ThrowIfNull(rollouts);
        ArgumentNullException.ThrowIfNull(rewards);
        options ??= new RestartOptions();
        options.Validate();
        if (rewards.Count != rollouts.Count)
            throw new ArgumentException(
                $"rewards has {rewards.Count} values, expected {rollouts.Count}, one for each rollout",
                nameof(rewards)
            );
        var restarts = new List<Restart>();
        for (int i = 0; i < rollouts.Count; i++)
        {
            if (!double.IsFinite(rewards[i]))
                throw new ArgumentException(
                    FormattableString.Invariant($"rewards[{i}] is {rewards[i]}, expected a finite number"),
                    nameof(rewards)
                );
            var stepped = SteppedCompletion.Of(rollouts[i], options.Separator);
            var problem = rollouts[i].Problem;
            foreach (int step in Places(stepped.Steps.Count, options, (ulong)i))
            {
                string opening = stepped.Prefix(step) + options.Marker;
                restarts.Add(new Restart(problem with { Prompt = problem.Prompt + opening }, problem, opening, rewards[i]));
            }
        }
        return restarts;
    }

    // Steps after which the text is cut, different ones in ascending order: the beginning of a shuffle.
    private static IEnumerable<int> Places(int steps, RestartOptions options, ulong rollout)
    {
        int first = options.MostBacktracked is { } most ? Math.Max(0, steps - 1 - most) : 0;
        int[] places = [.. Enumerable.Range(first, steps - first)];
        int count = Math.Min(options.PerRollout, places.Length);
        for (int k = 0; k < count; k++)
        {
            int other = k + CounterRandom.Below(places.Length - k, options.Seed, rollout, (ulong)k);
            (places[k], places[other]) = (places[other], places[k]);
        }
        return places.Take(count).Order();
    }
}
