namespace PostTrain.Training;

/// <summary>The curve of a rising or falling learning rate; x is the completed share.</summary>
public enum RateCurve
{
    /// <summary>x up, 1 − x down.</summary>
    Linear,

    /// <summary>(1 − cos πx)/2 up, (1 + cos πx)/2 down.</summary>
    Cosine,

    /// <summary>1 − √(1 − x) up, 1 − √x down. Hägele et al. 2024, arXiv:2405.18392, section 3.</summary>
    OneMinusSqrt,
}
