using System.Reflection;
using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Tests.Support;

/// <summary>What a user of the packages sees.</summary>
internal static class PublicSurface
{
    internal static Assembly[] Assemblies { get; } = [typeof(Pretrained).Assembly, typeof(ITokenizer).Assembly];

    internal static Type[] Types { get; } = [.. Assemblies.SelectMany(assembly => assembly.GetExportedTypes())];
}
