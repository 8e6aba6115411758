using PostTrain.Text;

namespace PostTrain.Rollouts.Environments;

/// <summary>Creates environments of functions, and sources that draw in an environment.</summary>
public static class RolloutEnvironment
{
    /// <summary>Creates an environment without a state.</summary>
    /// <param name="name">Name in messages.</param>
    /// <param name="observe">As <see cref="IEpisode.ObserveAsync"/>; called from several threads.</param>
    public static IEnvironment Of(string name, Func<PolicyTurn, CancellationToken, Task<string?>> observe)
    {
        ArgumentNullException.ThrowIfNull(observe);
        return Of(name, _ => observe);
    }

    /// <summary>Creates an environment whose episodes have a state.</summary>
    /// <param name="name">Name in messages.</param>
    /// <param name="begin">Begins an episode: returns a function as <see cref="IEpisode.ObserveAsync"/>.</param>
    public static IEnvironment Of(string name, Func<EpisodeStart, Func<PolicyTurn, CancellationToken, Task<string?>>> begin)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(begin);
        return new FunctionEnvironment(name, begin);
    }

    /// <summary>Creates a source whose completions are conversations with an environment: turns of the policy, drawn by another source, and
    /// observations between them.</summary>
    /// <remarks>
    /// A completion holds the tokens of both; <see cref="RolloutSample.Drawn"/> tells them apart. An observation that does not fit into
    /// what is left of the completion's tokens ends it with <see cref="RolloutFinish.Length"/>. The tokens of a turn are those that the
    /// source would draw after the same tokens as a prompt, with a seed of its own for each turn; an environment that never answers changes
    /// nothing. Turns are drawn for all rows at once.
    /// </remarks>
    /// <param name="source">Draws the turns.</param>
    /// <param name="options">Environment and budgets.</param>
    /// <param name="tokenizer">Decodes turns and encodes observations.</param>
    public static IRolloutSource Source(IRolloutSource source, EnvironmentOptions options, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(tokenizer);
        options.Validate();
        return new EnvironmentSource(source, options, tokenizer);
    }

    private sealed class FunctionEnvironment(string name, Func<EpisodeStart, Func<PolicyTurn, CancellationToken, Task<string?>>> begin)
        : IEnvironment
    {
        public string Name => name;

        public IEpisode Begin(EpisodeStart start) => new FunctionEpisode(begin(start));
    }

    private sealed class FunctionEpisode(Func<PolicyTurn, CancellationToken, Task<string?>> observe) : IEpisode
    {
        public Task<string?> ObserveAsync(PolicyTurn turn, CancellationToken cancellation = default) => observe(turn, cancellation);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
