namespace PostTrain.Training.Optimizers;

/// <summary>Muon's multiple of the learning rate for a matrix of A rows and B columns.</summary>
public enum MuonRate
{
    /// <summary>√max(1, A/B): Jordan's.</summary>
    Original,

    /// <summary>0.2·√max(A, B): the root mean square of an update is about AdamW's. Liu et al. 2025, arXiv:2502.16982, section
    /// 2.2.</summary>
    MatchAdamW,

    /// <summary>1.</summary>
    AsGiven,
}
