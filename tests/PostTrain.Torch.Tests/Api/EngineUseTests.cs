using System.Reflection;
using System.Runtime.CompilerServices;
using TorchSharp;

namespace PostTrain.Torch.Tests.Api;

/// <summary>
/// What stands above the engine uses TorchSharp's namespaces only; that each member there is TorchSharp's own is what
/// <see cref="SourceCompatibilityTests"/> shows.
/// </summary>
public class EngineUseTests
{
    [Theory]
    [InlineData("PostTrain.dll", new[] { "PostTrain.Torch.EngineInfo" })]   // Engine/libtorch/EngineFacts.cs, left out with TorchEngine=TorchSharp
    [InlineData("PostTrain.Tests.dll", new string[0])]
    [InlineData("PostTrain.Samples.Support.dll", new string[0])]
    public void Assembly_RefersToTorchSharpsNamespacesOnly(string file, string[] exceptions)
    {
        var used = EngineUse.Types(Path.Combine(AppContext.BaseDirectory, file));

        Assert.Equal(exceptions, used.Where(name => !name.StartsWith("TorchSharp.", StringComparison.Ordinal)));
    }

    [Fact]
    public void Types_OfTheLibrary_AreFound()
    {
        var used = EngineUse.Types(Path.Combine(AppContext.BaseDirectory, "PostTrain.dll"));

        Assert.Superset(new HashSet<string> { "TorchSharp.torch", "TorchSharp.torch.Tensor", "TorchSharp.torch.nn.functional", "TorchSharp.Modules.AdamW.State" }, used.ToHashSet());
    }

    [Fact]
    public void Types_OfTheEnginesOwnTests_HoldItsInternalNamespaces() =>
        Assert.Contains(EngineUse.Types(typeof(EngineUseTests).Assembly.Location), name => !name.StartsWith("TorchSharp.", StringComparison.Ordinal));

    [Fact]
    public void Internals_AreVisibleToTheEnginesOwnTestsAlone() =>
        Assert.Equal(["PostTrain.Torch.Tests"], typeof(torch).Assembly.GetCustomAttributes<InternalsVisibleToAttribute>().Select(attribute => attribute.AssemblyName));
}
