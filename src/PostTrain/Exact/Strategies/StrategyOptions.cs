using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>Options of <see cref="StrategyExperiment"/>: questions with several valid strategies, of which a demonstration shows
/// one.</summary>
public sealed record StrategyOptions
{
    /// <summary>Number of features of a question, x ~ N(0, I).</summary>
    /// <value>The default is 8.</value>
    public int Features { get; init; } = 8;

    /// <summary>Number of strategies; each has the true score w·x + noise.</summary>
    /// <value>The default is 8.</value>
    public int Strategies { get; init; } = 8;

    /// <summary>Standard deviation of the noise, which no policy can observe; at least 0.</summary>
    /// <value>The default is 0.5.</value>
    public double Noise { get; init; } = 0.5;

    /// <summary>Maximum number k of valid strategies: for each question the best 1 to k are valid, each number equally likely. 1 is the
    /// control without exploration.</summary>
    /// <value>The default is 3.</value>
    public int MostValid { get; init; } = 3;

    /// <summary>Share of the invalid strategies of a training question that still reach the correct answer, as by guessing one of four
    /// choices; 0 to 1.</summary>
    /// <value>The default is 0.</value>
    public double GuessRate { get; init; }

    /// <summary>Number of training questions.</summary>
    /// <value>The default is 64.</value>
    public int TrainQuestions { get; init; } = 64;

    /// <summary>Number of test questions.</summary>
    /// <value>The default is 4000.</value>
    public int TestQuestions { get; init; } = 4000;

    /// <summary>Steps of the supervised warm-up shared by all methods.</summary>
    /// <value>The default is 300.</value>
    public int WarmupSteps { get; init; } = 300;

    /// <summary>Steps of each method after the warm-up.</summary>
    /// <value>The default is 1500.</value>
    public int Steps { get; init; } = 1500;

    /// <summary>Learning rate of the full-batch gradient ascent.</summary>
    /// <value>The default is 0.5.</value>
    public double LearningRate { get; init; } = 0.5;

    /// <summary>β of the KL divergence from the warm-up policy in reinforced fine-tuning, at least 0.</summary>
    /// <value>The default is 0.02.</value>
    public double Beta { get; init; } = 0.02;

    internal void Validate()
    {
        Guard.AtLeast(Features, 1, nameof(Features));
        Guard.AtLeast(Strategies, 2, nameof(Strategies));
        Guard.NotNegative(Noise, nameof(Noise));
        if (MostValid < 1 || MostValid > Strategies)
            throw new ArgumentOutOfRangeException(
                nameof(MostValid),
                MostValid,
                $"MostValid must be between 1 and Strategies, {Strategies}"
            );
        Guard.Fraction(GuessRate, nameof(GuessRate));
        Guard.AtLeast(TrainQuestions, 1, nameof(TrainQuestions));
        Guard.AtLeast(TestQuestions, 1, nameof(TestQuestions));
        Guard.AtLeast(WarmupSteps, 0, nameof(WarmupSteps));
        Guard.AtLeast(Steps, 0, nameof(Steps));
        Guard.Positive(LearningRate, nameof(LearningRate));
        Guard.NotNegative(Beta, nameof(Beta));
    }
}
