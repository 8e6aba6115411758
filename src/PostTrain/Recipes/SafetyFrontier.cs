namespace PostTrain.Recipes;

/// <summary>Refusal of harmful requests against accuracy on others over the steps of safety training: what safety costs.</summary>
/// <remarks>Huang et al. 2025 ("Safety Tax"), arXiv:2503.00555, report both before and after; here every measured step is a point.
/// A(s) is the best accuracy among the steps that refuse at least the share s.</remarks>
/// <param name="Points">Step, share of harmful requests that are refused, accuracy on harmless ones, both 0 to 1; the first is the model
/// before training.</param>
public sealed record SafetyFrontier(IReadOnlyList<(int Step, double Refusal, double Accuracy)> Points)
{
    /// <summary>Largest share of refusals that a step reached.</summary>
    public double Reached => Points.Max(point => point.Refusal);

    /// <summary>Computes A(s); null where no step refuses that often.</summary>
    /// <param name="refusal">s, 0 to 1.</param>
    public double? Accuracy(double refusal)
    {
        Numerics.Guard.Fraction(refusal, nameof(refusal));
        var safe = Points.Where(point => point.Refusal >= refusal).ToArray();
        return safe.Length == 0 ? null : safe.Max(point => point.Accuracy);
    }

    /// <summary>Computes the tax, the mean loss of accuracy over the shares that were reached: 1/s_max · ∫ (A₀ − A(s)) ds from 0 to s_max,
    /// A₀ the accuracy before training. Negative where training raised the accuracy; 0 where no step refuses.</summary>
    public double Tax()
    {
        double before = Points[0].Accuracy,
            area = 0,
            last = 0;
        // A is constant between the shares that occur.
        foreach (double refusal in Points.Select(point => point.Refusal).Distinct().Order())
        {
            area += (refusal - last) * (before - Accuracy(refusal)!.Value);
            last = refusal;
        }
        return last == 0 ? 0 : area / last;
    }
}
