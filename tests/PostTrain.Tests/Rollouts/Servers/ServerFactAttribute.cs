namespace PostTrain.Tests.Rollouts.Servers;

/// <summary>A test on a real server, skipped unless its address is in the environment variable POSTTRAIN_SERVER.</summary>
internal sealed class ServerFactAttribute : FactAttribute
{
    public ServerFactAttribute()
    {
        if (RealServerTests.Address is null)
            Skip = "Needs a server; set POSTTRAIN_SERVER to its address (http://127.0.0.1:8099) to run it.";
    }
}
