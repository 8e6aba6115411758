namespace PostTrain.Training.Diagnostics;

/// <summary>How much a <see cref="Warning"/> matters.</summary>
public enum DiagnosticLevel
{
    /// <summary>Looks wrong and is right: said so that nobody has to ask.</summary>
    Note,

    /// <summary>The run is likely to come to nothing, or to something that is not wanted.</summary>
    Warning,
}
