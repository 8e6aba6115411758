using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>A problem of several steps and two verifiers whose labels are sometimes flipped: one is told whether the outcome is right, one
/// of every step.</summary>
/// <remarks>
/// Why a process reward model beats an outcome reward model at best-of-n where n is large (Lightman et al. 2023, arXiv:2305.20050), and why
/// it need not where n is small. The steps are independent, a solution is right if all its steps are, and each verifier scores a solution
/// with the probability that it is right given what the verifier was told. With x = (1−q)ε/(q(1−ε)) the process verifier's choice is right
/// with probability 1/(1+x)^T as n grows, the outcome verifier's with q^T(1−ε)/(q^T(1−ε)+(1−q^T)ε), which is less for T above 1 and ε
/// between 0 and ½.
/// </remarks>
public sealed class NoisyVerification
{
    /// <summary>The most steps: all their labellings are enumerated.</summary>
    public const int MostSteps = 16;

    /// <param name="stepAccuracies">q_k, how often each step is right, between 0 and 1 and neither; 1 to <see cref="MostSteps"/> of
    /// them.</param>
    /// <param name="flips">ε, how often a label is the opposite of what is true, from 0 to below ½.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public NoisyVerification(IReadOnlyList<double> stepAccuracies, double flips)
    {
        ArgumentNullException.ThrowIfNull(stepAccuracies);
        if (stepAccuracies.Count is < 1 or > MostSteps || stepAccuracies.Any(q => !(q is > 0 and < 1)))
            throw new ArgumentException(
                $"stepAccuracies is [{string.Join(", ", stepAccuracies)}], expected 1 to {MostSteps} numbers between 0 and 1, neither of them",
                nameof(stepAccuracies)
            );
        if (!(flips is >= 0 and < 0.5))
            throw new ArgumentOutOfRangeException(nameof(flips), flips, "flips must be at least 0 and below 0.5");
        (StepAccuracies, Flips) = ([.. stepAccuracies], flips);
    }

    /// <summary>The same with T steps alike.</summary>
    /// <param name="steps">T, 1 to <see cref="MostSteps"/>.</param>
    /// <param name="stepAccuracy">q, between 0 and 1 and neither.</param>
    /// <param name="flips">ε, from 0 to below ½.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public NoisyVerification(int steps, double stepAccuracy, double flips)
        : this([.. Enumerable.Repeat(stepAccuracy, Math.Clamp(steps, 0, MostSteps + 1))], flips) { }

    /// <summary>q_k.</summary>
    public IReadOnlyList<double> StepAccuracies { get; }

    /// <summary>ε.</summary>
    public double Flips { get; }

    /// <summary>How often a solution with a wrong step has the right answer all the same; the outcome verifier cannot tell it from a right
    /// solution.</summary>
    /// <value>The default is 0.</value>
    public double LuckyAnswers { get; init; }

    /// <summary>Π q_k: how often all steps of a solution are right.</summary>
    public double Accuracy => StepAccuracies.Aggregate(1.0, (product, q) => product * q);

    /// <summary>What the outcome verifier sees: two classes.</summary>
    public IReadOnlyList<JudgedClass> Outcome()
    {
        Guard.Fraction(LuckyAnswers, nameof(LuckyAnswers));
        double right = Accuracy,
            answered = right + (1 - right) * LuckyAnswers;
        JudgedClass Told(double whereRight, double whereWrong)
        {
            double probability = answered * whereRight + (1 - answered) * whereWrong,
                correct = probability > 0 ? right * whereRight / probability : 0;
            return new JudgedClass(correct, probability, correct);
        }
        return [Told(1 - Flips, Flips), Told(Flips, 1 - Flips)];
    }

    /// <summary>What the process verifier sees: a class for each labelling of the steps.</summary>
    /// <param name="score">A solution's score from the posterior probabilities of its steps, in their order; null: their product, the
    /// probability that all are right.</param>
    public IReadOnlyList<JudgedClass> Process(Func<IReadOnlyList<double>, double>? score = null)
    {
        score ??= static posteriors => posteriors.Aggregate(1.0, (product, p) => product * p);
        var classes = new JudgedClass[1 << StepAccuracies.Count];
        for (int labels = 0; labels < classes.Length; labels++)
        {
            double probability = 1,
                correct = 1;
            var posteriors = new double[StepAccuracies.Count];
            for (int k = 0; k < posteriors.Length; k++)
            {
                bool positive = (labels >> k & 1) == 1;
                double right = StepAccuracies[k] * (positive ? 1 - Flips : Flips),
                    wrong = (1 - StepAccuracies[k]) * (positive ? Flips : 1 - Flips);
                posteriors[k] = right / (right + wrong);
                probability *= right + wrong;
                correct *= posteriors[k];
            }
            classes[labels] = new JudgedClass(score(posteriors), probability, correct);
        }
        return classes;
    }
}
