namespace PostTrain.Tests.Training.Distributed;

/// <summary>A test that starts <c>mpirun</c>, skipped where Open MPI is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class MpiFactAttribute : FactAttribute
{
    public MpiFactAttribute()
    {
        if (MpiCommand.Path is null)
            Skip =
                "mpirun of Open MPI is not installed (Debian: openmpi-bin). What ranks compute is tested on threads; what becomes of a "
                + "killed process is not.";
    }
}
