namespace PostTrain.Training;

/// <summary>The form in which a learning rate rises or falls; x is the share of the rise or fall that is over.</summary>
public enum RateCurve
{
    /// <summary>x up, 1 − x down.</summary>
    Linear,

    /// <summary>(1 − cos πx)/2 up, (1 + cos πx)/2 down.</summary>
    Cosine,

    /// <summary>1 − √(1 − x) up, 1 − √x down. Hägele et al. 2024, arXiv:2405.18392, section 3.</summary>
    OneMinusSqrt,
}
