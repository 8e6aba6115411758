namespace PostTrain.Distillation;

/// <summary>The treatment of the probability outside a top-k support.</summary>
public enum SupportTail
{
    /// <summary>All of it is one more outcome. The divergence is then never more than the full one (data-processing inequality).</summary>
    Bucket,

    /// <summary>Dropped: both distributions are normalised on the support, and mass outside it costs nothing.</summary>
    Renormalize,
}
