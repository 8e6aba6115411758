namespace PostTrain.Rollouts.Environments;

/// <summary>An environment that answers the policy's turns: tools, a game, a user who is simulated.</summary>
/// <remarks>Episodes of a draw run at the same time, on several threads. <see cref="RolloutEnvironment"/> makes environments of
/// functions.</remarks>
public interface IEnvironment
{
    /// <summary>Name in messages.</summary>
    string Name { get; }

    /// <summary>Begins the episode of one completion.</summary>
    /// <param name="start">Its prompt and its seed.</param>
    IEpisode Begin(EpisodeStart start);
}
