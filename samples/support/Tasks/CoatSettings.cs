namespace PostTrain.Samples.Support;

/// <summary>Sizes and rates of <see cref="CoatRun"/>.</summary>
public sealed record CoatSettings
{
    /// <summary>Steps of format tuning.</summary>
    public int FormatSteps { get; init; } = 1200;

    /// <summary>Share of the wrong steps that the demonstrations notice.</summary>
    public double Notices { get; init; } = 0.5;

    /// <summary>Rounds of PPO, each with new restarts.</summary>
    public int Rounds { get; init; } = 3;

    /// <summary>Steps before the first round in which only the critic learns.</summary>
    public int CriticSteps { get; init; } = 8;

    /// <summary>Factor of the critic's rate: its values begin at 0.</summary>
    public double CriticFactor { get; init; } = 2;

    /// <summary>Steps of PPO in a round.</summary>
    public int Steps { get; init; } = 15;

    /// <summary>Completions of a step.</summary>
    public int BatchSize { get; init; } = 128;

    /// <summary>Learning rate of PPO.</summary>
    public double LearningRate { get; init; } = 2e-4;

    /// <summary>Bonus for progress from a restart.</summary>
    public double Bonus { get; init; } = 0.5;

    /// <summary>Most tokens of a completion.</summary>
    public int Tokens { get; init; } = 48;
}
