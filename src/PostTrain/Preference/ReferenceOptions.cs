using PostTrain.Numerics;

namespace PostTrain.Preference;

/// <summary>Options shared by trainers that use a reference model.</summary>
public abstract record ReferenceOptions : PreferenceOptions
{
    /// <summary>Computes the reference's log-probs once for the whole data set before the first step instead of in each step.</summary>
    /// <value>The default is false. Not together with <see cref="ReferenceSyncEvery"/>.</value>
    public bool PrecomputeReference { get; init; }

    /// <summary>Steps after which the reference moves towards the policy, as in TR-DPO (arXiv:2404.09656); 0 keeps it fixed.</summary>
    /// <value>The default is 0; the paper's soft update takes a small step often, its hard one (<see cref="ReferenceMix"/> 1) every
    /// 512.</value>
    public int ReferenceSyncEvery { get; init; }

    /// <summary>α of reference ← α·policy + (1 − α)·reference, 0 to 1.</summary>
    /// <value>The default is 0.6.</value>
    public double ReferenceMix { get; init; } = 0.6;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Guard.AtLeast(ReferenceSyncEvery, 0, nameof(ReferenceSyncEvery));
        Guard.Fraction(ReferenceMix, nameof(ReferenceMix));
        if (PrecomputeReference && ReferenceSyncEvery > 0)
            throw new ArgumentOutOfRangeException(
                nameof(PrecomputeReference),
                PrecomputeReference,
                $"A reference that moves every {ReferenceSyncEvery} steps cannot be asked once for all."
            );
    }
}
