using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PostTrain.Operators;
using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Distillation;

/// <summary>A divergence of the student's q from the teacher's p in closed form: each token's term and ∂term/∂log q.</summary>
internal interface IDivergenceForm
{
    /// <summary>Probabilities and log-probabilities of four tokens; 0 and −∞ go together.</summary>
    void Of(V q, V logQ, V p, V logP, out V term, out V slope);
}

/// <summary>w·KL(p‖q) + (1−w)·KL(q‖p); a divergence of weight 0 is not computed: it may be infinite.</summary>
internal readonly struct KlForm(double forwardWeight) : IDivergenceForm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(V q, V logQ, V p, V logP, out V term, out V slope)
    {
        term = slope = V.Zero;
        if (forwardWeight > 0)
        {
            var (weight, none) = (Vector256.Create(forwardWeight), Vector256.Equals(p, V.Zero));
            term = Vector256.AndNot(weight * p * (logP - logQ), none);
            slope = -(weight * p);
        }
        if (forwardWeight < 1)
        {
            var (weight, none) = (Vector256.Create(1 - forwardWeight), Vector256.Equals(q, V.Zero));
            var reverse = Vector256.AndNot(weight * q * (logQ - logP), none);
            term += reverse;
            slope += reverse + weight * q;
        }
    }
}

/// <summary>½|p − q|.</summary>
internal readonly struct TotalVariationForm : IDivergenceForm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(V q, V logQ, V p, V logP, out V term, out V slope)
    {
        V difference = q - p,
            half = Vector256.Create(0.5);
        term = half * Vector256.Abs(difference);
        slope =
            half
            * Vector256.ConditionalSelect(
                Vector256.GreaterThan(difference, V.Zero),
                q,
                Vector256.ConditionalSelect(Vector256.LessThan(difference, V.Zero), -q, difference)
            );
    }
}

/// <summary>β·KL(p‖m) + (1−β)·KL(q‖m), m = βp + (1−β)q.</summary>
internal readonly struct JensenShannonForm(double beta) : IDivergenceForm
{
    private readonly double logBeta = Math.Log(beta),
        logRest = Math.Log(1 - beta);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Of(V q, V logQ, V p, V logP, out V term, out V slope)
    {
        // With d = log[(1−β)q / βp]: log p/m = log σ(−d) − log β and log q/m = log σ(d) − log(1−β).
        V d = logQ - logP + Vector256.Create(logRest - logBeta),
            small = Lanes.Exp(-Vector256.Abs(d)),
            rest = -Lanes.Log1P(small);
        var positive = Vector256.GreaterThan(d, V.Zero);
        V logSigmoid = rest + Vector256.AndNot(d, positive),
            logOther = rest - (d & positive);
        V fromTeacher = Vector256.Create(beta) * p * (logOther - Vector256.Create(logBeta));
        V fromStudent = Vector256.Create(1 - beta) * q * (logSigmoid - Vector256.Create(logRest));
        fromTeacher = Vector256.AndNot(fromTeacher, Vector256.Equals(p, V.Zero));
        fromStudent = Vector256.AndNot(fromStudent, Vector256.Equals(q, V.Zero));
        term = fromTeacher + fromStudent;
        // What the logarithm of m adds cancels: (1−β)q·σ(−d) = βp·σ(d).
        slope = fromStudent;
    }
}
