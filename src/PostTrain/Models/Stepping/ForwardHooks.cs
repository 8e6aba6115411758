using System.Collections;
using System.Collections.Concurrent;
using System.Reflection;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The hooks on a module's calls. Where there are some, a call cannot be replaced by arithmetic on the module's
/// parameters.</summary>
internal sealed class ForwardHooks
{
    private static readonly ConcurrentDictionary<Type, FieldInfo[]> Fields = new();
    private readonly ICollection[] lists;

    private ForwardHooks(ICollection[] lists) => this.lists = lists;

    /// <summary>True if there is a hook now.</summary>
    public bool Any
    {
        get
        {
            foreach (var list in lists)
            {
                if (list.Count > 0)
                    return true;
            }
            return false;
        }
    }

    /// <summary>The hooks of a module; null if they cannot be known.</summary>
    public static ForwardHooks? Of(nn.Module module)
    {
        var fields = Fields.GetOrAdd(module.GetType(), Find);
        var lists = Array.ConvertAll(fields, field => field.GetValue(module) as ICollection);
        return lists.Length == 0 || lists.Contains(null) ? null : new ForwardHooks(lists!);
    }

    // TorchSharp has no public list of a module's hooks.
    private static FieldInfo[] Find(Type type)
    {
        var found = new List<FieldInfo>();
        for (var level = type; level is not null; level = level.BaseType)
            found.AddRange(
                level
                    .GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                    .Where(field => field.Name.EndsWith("_hooks", StringComparison.Ordinal))
            );
        return [.. found];
    }
}
