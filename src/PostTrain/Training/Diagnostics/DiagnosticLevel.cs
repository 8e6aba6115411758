namespace PostTrain.Training.Diagnostics;

/// <summary>The severity of a <see cref="Warning"/>.</summary>
public enum DiagnosticLevel
{
    /// <summary>Looks wrong but is expected behaviour. Reported so that the user need not investigate.</summary>
    Note,

    /// <summary>The run will probably fail or learn something unwanted.</summary>
    Warning,
}
