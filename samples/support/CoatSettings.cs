namespace PostTrain.Samples.Support;

/// <summary>Sizes and rates of <see cref="CoatRun"/>.</summary>
public sealed record CoatSettings
{
    /// <summary>Steps of format tuning.</summary>
    public int FormatSteps { get; init; } = 600;

    /// <summary>Share of the wrong steps that the demonstrations notice.</summary>
    public double Notices { get; init; } = 0.5;

    /// <summary>Rounds of PPO, each with new restarts.</summary>
    public int Rounds { get; init; } = 2;

    /// <summary>Steps of PPO in a round.</summary>
    public int Steps { get; init; } = 10;

    /// <summary>Completions of a step.</summary>
    public int BatchSize { get; init; } = 64;

    /// <summary>Learning rate of PPO.</summary>
    public double LearningRate { get; init; } = 5e-4;

    /// <summary>Bonus for progress from a restart.</summary>
    public double Bonus { get; init; } = 0.5;

    /// <summary>Most tokens of a completion.</summary>
    public int Tokens { get; init; } = 48;
}
