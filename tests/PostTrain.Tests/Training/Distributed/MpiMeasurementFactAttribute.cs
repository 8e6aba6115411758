using PostTrain.Tests.Support;

namespace PostTrain.Tests.Training.Distributed;

/// <summary>A measurement that starts <c>mpirun</c>: skipped as <see cref="MeasurementFactAttribute"/> is, and where Open MPI is not
/// installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MpiMeasurementFactAttribute : FactAttribute
{
    public MpiMeasurementFactAttribute() => Skip = new MeasurementFactAttribute().Skip ?? new MpiFactAttribute().Skip;
}
