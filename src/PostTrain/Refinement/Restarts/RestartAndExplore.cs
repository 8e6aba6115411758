using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;

namespace PostTrain.Refinement.Restarts;

/// <summary>Restart and explore: creates problems that start within the policy's own rollouts, correct and wrong ones, with a marker that
/// asks it to reflect.</summary>
/// <remarks>
/// Shen et al. 2025 (Satori), arXiv:2502.02508, section 4.2. From wrong rollouts the policy learns to correct, from correct ones not to
/// corrupt; <see cref="RestartRewards.WithProgress"/> rewards both. Train on restarts together with the problems themselves, and sample new
/// ones as the policy changes.
/// </remarks>
/// <example><code>
/// var restarts = RestartAndExplore.From(rollouts, rewards, new RestartOptions { PerRollout = 2 });
/// var ppo = options with { Critic = critic, Reference = reference };
/// using var trainer = new PpoTrainer(policy, tokenizer, reward.WithProgress(restarts, alpha: 0.5), ppo);
/// await foreach (var report in trainer.RunAsync([.. problems, .. restarts.Select(restart => restart.Problem)]))
///     Console.WriteLine(report);
/// </code></example>
public static class RestartAndExplore
{
    /// <summary>Cuts each rollout at random ends of steps and appends the marker.</summary>
    /// <param name="rollouts">The policy's own completions. One without steps gives no restart.</param>
    /// <param name="rewards">The reward of each, finite: the <see cref="Restart.EarlierReward"/> of its restarts.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <returns>The restarts, in the order of the rollouts. Their prompts are longer: leave out those that exceed the model's
    /// context.</returns>
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

    // Returns different steps after which the text is cut, in ascending order: the first elements of a shuffle.
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
