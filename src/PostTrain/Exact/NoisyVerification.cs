using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>A problem of several steps with two noisy verifiers: an outcome verifier and a process verifier, whose labels are flipped at
/// random.</summary>
/// <remarks>
/// Shows why a process reward model beats an outcome reward model at best-of-n for large n (Lightman et al. 2023, arXiv:2305.20050), and
/// why it need not for small n. The steps are independent, and a solution is correct if all its steps are. Each verifier scores a solution
/// with the probability that it is correct given the verifier's labels. With x = (1−q)ε/(q(1−ε)) the process verifier's choice is correct
/// with probability 1/(1+x)^T as n grows, the outcome verifier's with q^T(1−ε)/(q^T(1−ε)+(1−q^T)ε), which is smaller for T above 1 and 0
/// &lt; ε &lt; ½.
/// </remarks>
public sealed class NoisyVerification
{
    /// <summary>Maximum number of steps; all their labellings are enumerated.</summary>
    public const int MostSteps = 16;

    /// <param name="stepAccuracies">q_k, the probability that each step is correct, strictly between 0 and 1; 1 to <see cref="MostSteps"/>
    /// of them.</param>
    /// <param name="flips">ε, the probability that a label is flipped, from 0 to below ½.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public NoisyVerification(IReadOnlyList<double> stepAccuracies, double flips)
    {
        ArgumentNullException.ThrowIfNull(stepAccuracies);
        if (stepAccuracies.Count is < 1 or > MostSteps || stepAccuracies.Any(q => !(q is > 0 and < 1)))
            throw new ArgumentException(
                $"stepAccuracies is [{string.Join(", ", stepAccuracies)}], expected 1 to {MostSteps} numbers strictly between 0 and 1",
                nameof(stepAccuracies)
            );
        if (!(flips is >= 0 and < 0.5))
            throw new ArgumentOutOfRangeException(nameof(flips), flips, "flips must be at least 0 and below 0.5");
        (StepAccuracies, Flips) = ([.. stepAccuracies], flips);
    }

    /// <summary>Creates a problem of T equal steps.</summary>
    /// <param name="steps">T, 1 to <see cref="MostSteps"/>.</param>
    /// <param name="stepAccuracy">q, strictly between 0 and 1.</param>
    /// <param name="flips">ε, from 0 to below ½.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    public NoisyVerification(int steps, double stepAccuracy, double flips)
        : this([.. Enumerable.Repeat(stepAccuracy, Math.Clamp(steps, 0, MostSteps + 1))], flips) { }

    /// <summary>q_k, the probability that each step is correct.</summary>
    public IReadOnlyList<double> StepAccuracies { get; }

    /// <summary>ε, the probability that a label is flipped.</summary>
    public double Flips { get; }

    /// <summary>Probability that a solution with a wrong step still has the correct answer. The outcome verifier cannot tell it from a
    /// correct solution.</summary>
    /// <value>The default is 0.</value>
    public double LuckyAnswers { get; init; }

    /// <summary>Π q_k, the probability that all steps of a solution are correct.</summary>
    public double Accuracy => StepAccuracies.Aggregate(1.0, (product, q) => product * q);

    /// <summary>Returns the two classes that the outcome verifier distinguishes.</summary>
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

    /// <summary>Returns the classes that the process verifier distinguishes, one per labelling of the steps.</summary>
    /// <param name="score">Computes a solution's score from the posterior probabilities of its steps, in order; null means their product,
    /// the probability that all are correct.</param>
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
