using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>A world in which questions have several valid ways to their answer and a demonstration shows one of them; see
/// <see cref="StrategyExperiment"/>.</summary>
public sealed record StrategyOptions
{
    /// <summary>Numbers that describe a question, x ~ N(0, I).</summary>
    /// <value>The default is 8.</value>
    public int Features { get; init; } = 8;

    /// <summary>Ways that there are, each with a true score w·x + noise.</summary>
    /// <value>The default is 8.</value>
    public int Strategies { get; init; } = 8;

    /// <summary>Standard deviation of that noise, which no policy can know; at least 0.</summary>
    /// <value>The default is 0.5.</value>
    public double Noise { get; init; } = 0.5;

    /// <summary>k: of each question the best 1 to k ways are valid, every number as likely. 1 is the control: there is nothing to
    /// explore.</summary>
    /// <value>The default is 3.</value>
    public int MostValid { get; init; } = 3;

    /// <summary>Share of the invalid ways of a training question that hit the right answer all the same, as by guessing one of four
    /// choices; 0 to 1.</summary>
    /// <value>The default is 0.</value>
    public double GuessRate { get; init; }

    /// <summary>Questions to train on.</summary>
    /// <value>The default is 64.</value>
    public int TrainQuestions { get; init; } = 64;

    /// <summary>Questions to measure with.</summary>
    /// <value>The default is 4000.</value>
    public int TestQuestions { get; init; } = 4000;

    /// <summary>Steps of supervised warm-up, which all methods go on from.</summary>
    /// <value>The default is 300.</value>
    public int WarmupSteps { get; init; } = 300;

    /// <summary>Steps of each method after it.</summary>
    /// <value>The default is 1500.</value>
    public int Steps { get; init; } = 1500;

    /// <summary>Rate of the gradient ascent, over all training questions at once.</summary>
    /// <value>The default is 0.5.</value>
    public double LearningRate { get; init; } = 0.5;

    /// <summary>β of the divergence from the warmed-up policy while reinforcing, at least 0.</summary>
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
