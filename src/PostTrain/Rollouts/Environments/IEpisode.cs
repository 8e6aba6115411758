namespace PostTrain.Rollouts.Environments;

/// <summary>The environment's side of one completion. It is asked about one turn after the other, and disposed at its end.</summary>
public interface IEpisode : IAsyncDisposable
{
    /// <summary>Answers a turn of the policy.</summary>
    /// <param name="turn">The text that the policy wrote.</param>
    /// <param name="cancellation">Cancelled by the caller, or after <see cref="EnvironmentOptions.CallTimeout"/>.</param>
    /// <returns>The observation that the policy continues from, encoded like the text of a chat template: with the special tokens that it
    /// spells, and no others. Null ends the completion.</returns>
    Task<string?> ObserveAsync(PolicyTurn turn, CancellationToken cancellation = default);
}
